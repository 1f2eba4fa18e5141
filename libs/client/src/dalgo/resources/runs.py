"""Runs: everything that changes data, and how it goes."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

import httpx
from httpx_sse import EventSource, SSEError

from contracts.ingest import SyncProgress
from contracts.orchestrator import Run, RunEvent, RunKind, RunStatus, RunTimeline, TriggerType
from dalgo.call import Call, Listing, Parameter, listing, model, present
from dalgo.driver import AsyncDriver, SyncDriver
from dalgo.errors import DalgoError
from dalgo.resource import D, Resource, endpoint, listed
from dalgo.tail import Tail, id_of


class Runs(Resource[D]):
    """The organisation's runs."""

    @listed
    @staticmethod
    def list(
        *,
        pipeline_id: UUID | None = None,
        source_id: UUID | None = None,
        transformation_id: UUID | None = None,
        status: RunStatus | Sequence[RunStatus] | None = None,
        kind: RunKind | Sequence[RunKind] | None = None,
        trigger: TriggerType | Sequence[TriggerType] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 100,
    ) -> Listing[Run]:
        """Runs that fit every filter, newest first; of several values of one, any will do.

        Times are taken for those of this machine when they name no zone; `limit` is the size of
        a page.
        """
        chosen: dict[str, Parameter] = {
            **present(
                pipeline_id=_text(pipeline_id),
                source_id=_text(source_id),
                transformation_id=_text(transformation_id),
                created_after=_time(created_after),
                created_before=_time(created_before),
            ),
            **present(status=status, kind=kind, trigger=trigger),
        }
        return listing("/runs", Run, params={"limit": limit, **chosen})

    @endpoint
    @staticmethod
    def get(run_id: UUID) -> Call[Run]:
        """One run with its steps."""
        return _get(run_id)

    @endpoint
    @staticmethod
    def timeline(run_id: UUID) -> Call[RunTimeline]:
        """How the run went: its attempts, their steps, how long each of them waited and took."""
        return Call("GET", f"/runs/{run_id}/timeline", model(RunTimeline))

    @endpoint
    @staticmethod
    def cancel(run_id: UUID) -> Call[Run]:
        """Ask for the run to stop; one that has ended stays as it is."""
        return Call("POST", f"/runs/{run_id}/cancel", model(Run))

    @endpoint
    @staticmethod
    def retry(run_id: UUID) -> Call[Run]:
        """Begin a run that failed or was cancelled again, from where it stopped.

        To follow only what happens from now on, give `events` the version that the run ended with.
        """
        return Call("POST", f"/runs/{run_id}/retry", model(Run))


class SyncRuns(Runs[SyncDriver]):
    """Runs, to be followed by iterating."""

    def events(
        self,
        run: Run | UUID,
        after_version: int = 0,
        *,
        on_progress: Callable[[SyncProgress], None] | None = None,
    ) -> Iterator[RunEvent]:
        """What happened to a run after a version, then what happens, until it has ended.

        Lost connections are mended: each event comes once, in order. Where no live stream gets
        through, the run is polled, and events are what changed between two looks. `on_progress`
        hears how far syncs have come, as often as that is told.
        """
        tail = Tail(run, after_version)
        while not tail.has_ended:
            try:
                if tail.must_poll:
                    yield from tail.catch_up(self.driver.perform(tail.poll))
                else:
                    with self.driver.stream(tail.live) as response:
                        for sent in EventSource(response).iter_sse():
                            if event := tail.take(sent):
                                yield event
                            elif on_progress and (progress := tail.progress(sent)):
                                on_progress(progress)
            except (httpx.TransportError, SSEError):
                pass
            except DalgoError as error:
                if not tail.forgives(error):
                    raise
            if not tail.has_ended:
                self.driver.pause(tail.broke_off())

    def wait(self, run: Run | UUID) -> Run:
        """The run once it has ended, however it did."""
        for _ in self.events(run):
            pass
        return self.driver.perform(_get(id_of(run)))


class AsyncRuns(Runs[AsyncDriver]):
    """Runs, to be followed by iterating with `async for`."""

    async def events(
        self,
        run: Run | UUID,
        after_version: int = 0,
        *,
        on_progress: Callable[[SyncProgress], None] | None = None,
    ) -> AsyncIterator[RunEvent]:
        """As `SyncRuns.events`."""
        tail = Tail(run, after_version)
        while not tail.has_ended:
            try:
                if tail.must_poll:
                    for event in tail.catch_up(await self.driver.perform(tail.poll)):
                        yield event
                else:
                    async with (
                        self.driver.stream(tail.live) as response,
                        aclosing(EventSource(response).aiter_sse()) as sents,
                    ):
                        async for sent in sents:
                            if event := tail.take(sent):
                                yield event
                            elif on_progress and (progress := tail.progress(sent)):
                                on_progress(progress)
            except (httpx.TransportError, SSEError):
                pass
            except DalgoError as error:
                if not tail.forgives(error):
                    raise
            if not tail.has_ended:
                await self.driver.pause(tail.broke_off())

    async def wait(self, run: Run | UUID) -> Run:
        """As `SyncRuns.wait`."""
        async for _ in self.events(run):
            pass
        return await self.driver.perform(_get(id_of(run)))


def _get(run_id: UUID) -> Call[Run]:
    return Call("GET", f"/runs/{run_id}", model(Run))


def _text(id: UUID | None) -> str | None:
    return str(id) if id else None


def _time(time: datetime | None) -> str | None:
    return time.astimezone().isoformat() if time else None
