"""Telling who watches a run how far its syncs have come."""

import asyncio
from contextlib import suppress
from uuid import UUID

from nats.errors import Error as NatsError

from chassis.bus import Bus
from contracts.ingest import SyncPhase, SyncProgress, SyncSource
from ingest.jobs import Progress

_EVERY = 0.5
"""Seconds between two messages about the same phase of a sync."""


class Teller:
    """Says the progress of one sync on the bus; what comes too soon after the last is dropped."""

    def __init__(self, bus: Bus, org_id: UUID, command: SyncSource) -> None:
        self._bus = bus
        self._org_id = org_id
        self._command = command
        self._phase: SyncPhase | None = None
        self._next = 0.0
        self._sending: set[asyncio.Task[None]] = set()

    def __call__(self, progress: Progress) -> None:
        """Tell it, now or not at all: nobody waits for it."""
        now = asyncio.get_running_loop().time()
        if progress.phase == self._phase and now < self._next:
            return
        self._phase, self._next = progress.phase, now + _EVERY
        said = SyncProgress(
            step_id=self._command.step_id,
            source_id=self._command.source_id,
            **progress.model_dump(),
        )
        task = asyncio.create_task(self._say(said))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _say(self, said: SyncProgress) -> None:
        with suppress(NatsError, OSError):
            body = said.model_dump_json(exclude_none=True).encode()
            await self._bus.tick(self._org_id, self._command.run_id, body)
