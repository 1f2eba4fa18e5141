"""Starting runs: mint the id, say it durably, answer once the run can be asked for."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Query, Response
from pydantic import Field

from chassis.crash_points import reached
from contracts.envelope import derived_id, new_id
from contracts.message import Command
from contracts.orchestrator import (
    CancelRun,
    CheckQueue,
    CheckRetry,
    GetRun,
    RetryRun,
    Run,
    RunEvent,
    RunKind,
    StartRun,
    Trigger,
)
from contracts.problem import DATABASE_AWAY, DATABASE_FULL, ProblemError
from contracts.shares import RUN_WAITS
from contracts.text import ShortText
from gateway.answers import sends
from gateway.auth import Caller
from gateway.conventions import IdempotencyKey, mint
from gateway.edge import Edge
from gateway.fanout import Closed, Listener
from gateway.stream import ENDED
from gateway.unconfirmed import Sent

FIRST_WORD = 1.0
"""Seconds to wait for a run's first event, so that GET /runs/{id} works right after."""

MAX_WAIT = 60
_CHECK = 1.0
"""Seconds that a run's start waits at most to hear whether the queue is full."""
_NOT_KEPT = frozenset({DATABASE_AWAY, DATABASE_FULL})
_LOOK_AGAIN = 2.0
"""Seconds after which a waiting request asks for the run, should its last event have been lost."""

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d+)", re.ASCII)


@dataclass(frozen=True)
class StartOptions:
    """What every request that starts a run may say about it."""

    key: str | None
    wait: int
    """Seconds; 0: do not wait for the end."""
    force: bool = False
    """Load and build what has not changed, too."""


def _start_options(
    idempotency_key: IdempotencyKey = None,
    prefer: Annotated[
        Annotated[ShortText, Field(max_length=200)] | None,
        Header(description="`wait=N`: answer when the run has ended, after N seconds at most."),
    ] = None,
    force: Annotated[
        bool, Query(description="Load and build anew what has not changed since the last run, too.")
    ] = False,
) -> StartOptions:
    found = _WAIT.search(prefer or "")
    wait = min(int(found.group(1)), MAX_WAIT) if found else 0
    return StartOptions(idempotency_key, wait, force)


Starting = Annotated[StartOptions, Depends(_start_options)]

STARTED: dict[int | str, dict[str, Any]] = {
    **sends(200, "Location", "Preference-Applied"),
    **sends(202, "Location", "Preference-Applied"),
}
STARTED[200] |= {"model": Run, "description": "The run has ended."}
"""The answers of `start_run`: 200 when it waited until the end."""


async def start_run(
    edge: Edge,
    caller: Caller,
    response: Response,
    options: StartOptions,
    route: str,
    *,
    kind: RunKind,
    pipeline_id: UUID | None = None,
    source_ids: tuple[UUID, ...] = (),
    transformation_ids: tuple[UUID, ...] = (),
) -> Run:
    """Start a run and fill in the response: 202, or 200 when it was waited for and has ended.

    Raises ProblemError 429 past the organisation's starts a minute, and while its queue is full.
    """
    run_id = mint(caller, route, options.key)
    trigger = Trigger(type="manual", actor=caller.actor)
    command = StartRun(
        run_id=run_id,
        run_kind=kind,
        pipeline_id=pipeline_id,
        source_ids=source_ids,
        transformation_ids=transformation_ids,
        trigger=trigger,
        force=options.force,
    )
    async with AsyncExitStack() as stack:
        wait = await _time_to_wait(edge, caller, options.wait, stack)
        listener = stack.enter_context(edge.fanout.listen(caller.org_id, run_id))
        run = await _find(edge, caller, run_id) if options.key is not None else None
        if run is None:
            await asyncio.gather(edge.quotas.run_start(caller.org_id), _check_queue(edge, caller))
            reached("start.received")
            # Said twice under one id it is stored once; a run that exists ignores it anyway.
            await edge.bus.send(
                command,
                org_id=caller.org_id,
                actor=caller.actor,
                id=command.message_id,
            )
            reached("start.stored")
            run = _told(await _hear(listener, FIRST_WORD, _tells_run))
            if run is None:
                _keep(edge, caller, run_id, command, command.message_id, lambda _: True)
        if wait:
            run = await _until_end(edge, caller, run_id, listener, wait, run)
    run = run or await _find(edge, caller, run_id) or _queued(command)
    response.headers["Location"] = f"/api/v1/runs/{run_id}"
    if wait:
        response.headers["Preference-Applied"] = f"wait={wait}"
    response.status_code = 200 if wait and run.status in ENDED else 202
    return run


async def _time_to_wait(edge: Edge, caller: Caller, wait: int, stack: AsyncExitStack) -> int:
    """Seconds to wait for the run's end, in a slot that `stack` holds.

    None when the organisation waits for as many as it may: to wait is a preference (RFC 7240).
    """
    if wait:
        try:
            await stack.enter_async_context(edge.shares.of(RUN_WAITS).slot(caller.org_id))
        except ProblemError:
            return 0
    return wait


async def _check_queue(edge: Edge, caller: Caller) -> None:
    """Raise ProblemError 429 when the queue is full, 503 when the database is full or away.

    An orchestrator that is away itself takes the run later. One that cannot keep it now may not be
    able to for hours: a PostgreSQL whose disk is full is often one that does not start.
    """
    if edge.queue_room.is_sure(caller.org_id):
        return
    try:
        queue = await edge.ask(caller, CheckQueue(), timeout=_CHECK)
    except ProblemError as error:
        if error.problem.status < 500 or error.problem.code in _NOT_KEPT:
            raise
    else:
        edge.queue_room.learn(caller.org_id, queue.places)


async def cancel_run(edge: Edge, caller: Caller, response: Response, run_id: UUID) -> Run:
    """Ask for a run's end: 202; one that has ended already stays as it is: 200.

    Raises ProblemError 404 and 429.
    """
    with edge.fanout.listen(caller.org_id, run_id) as listener:
        run = await edge.ask(caller, GetRun(run_id=run_id))
        if run.status in ENDED:
            return run
        await edge.quotas.run_cancel(caller.org_id)
        command, message_id = CancelRun(run_id=run_id), new_id()
        await edge.bus.send(command, org_id=caller.org_id, actor=caller.actor, id=message_id)
        if await _hear(listener, FIRST_WORD, _is_cancel) is None:
            _keep(edge, caller, run_id, command, message_id, lambda run: run.status in ENDED)
    response.status_code = 202
    return await edge.ask(caller, GetRun(run_id=run_id))


async def retry_run(edge: Edge, caller: Caller, run_id: UUID) -> Run:
    """Begin a run anew from where it stopped; gives it as it stands then.

    Raises ProblemError 404, 409 and 429.
    """
    with edge.fanout.listen(caller.org_id, run_id) as listener:
        run = await edge.ask(caller, CheckRetry(run_id=run_id))
        await asyncio.gather(edge.quotas.run_start(caller.org_id), _check_queue(edge, caller))
        attempt = run.attempt + 1
        command = RetryRun(run_id=run_id, attempt=attempt)
        message_id = derived_id("retry_run", run_id, attempt)
        await edge.bus.send(command, org_id=caller.org_id, actor=caller.actor, id=message_id)
        if await _hear(listener, FIRST_WORD, lambda event: event.type == "run_queued") is None:
            _keep(edge, caller, run_id, command, message_id, lambda run: run.attempt >= attempt)
    return await edge.ask(caller, GetRun(run_id=run_id))


def _keep(
    edge: Edge,
    caller: Caller,
    run_id: UUID,
    command: Command,
    message_id: UUID,
    is_shown: Callable[[Run], bool],
) -> None:
    sent = Sent(command, message_id, caller.org_id, caller.actor, run_id, is_shown)
    edge.unconfirmed.keep(sent)


def _is_cancel(event: RunEvent) -> bool:
    return event.type in {"run_cancel_requested", "run_cancelled"}


async def _until_end(
    edge: Edge, caller: Caller, run_id: UUID, listener: Listener, seconds: int, run: Run | None
) -> Run | None:
    """The run when it has ended, or as it stands when the time is over; `run`: what is known."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    run = run or await _find(edge, caller, run_id)
    while (left := deadline - loop.time()) > 0 and (run is None or run.status not in ENDED):
        last = await _hear(listener, min(left, _LOOK_AGAIN), _is_last)
        run = _told(last) or await _find(edge, caller, run_id)
    return run


def _tells_run(event: RunEvent) -> bool:
    return "run" in event.data


def _is_last(event: RunEvent) -> bool:
    return event.type.removeprefix("run_") in ENDED


def _told(event: RunEvent | None) -> Run | None:
    """The run, whole, as an event told it."""
    return Run.model_validate(event.data["run"]) if event is not None else None


async def _hear(
    listener: Listener, seconds: float, is_it: Callable[[RunEvent], bool]
) -> RunEvent | None:
    """The next event of a kind, if it comes within so many seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while (left := deadline - loop.time()) > 0:
        try:
            heard = await listener.next(left)
        except Closed:
            return None
        if isinstance(heard, RunEvent) and is_it(heard):
            return heard
    return None


async def _find(edge: Edge, caller: Caller, run_id: UUID) -> Run | None:
    try:
        return await edge.ask(caller, GetRun(run_id=run_id))
    except ProblemError as error:
        # Stored in the stream it will run, even while the orchestrator is away.
        if error.problem.status in {404, 503, 504}:
            return None
        raise


def _queued(command: StartRun) -> Run:
    """The run as it will be, for a caller who is faster than the orchestrator."""
    return Run(
        id=command.run_id,
        kind=command.run_kind,
        pipeline_id=command.pipeline_id,
        status="queued",
        trigger=command.trigger,
        created_at=datetime.now(UTC),
        version=0,
    )
