"""What the orchestrator says of a run belongs to the trace of who asked for it, whenever it is said."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
import pytest_asyncio

from chassis.service import running
from chassis.telemetry import continued
from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import SourceSyncFailed, SyncSource
from contracts.orchestrator import RetryRun, RunFailed
from contracts.problem import Problem
from orchestrator.app import build
from orchestrator.scheduler import database_clock
from orchestrator.settings import Settings

TraceOf = Callable[[UUID, int], Awaitable[str]]


def _traceparent(trace_id: str) -> str:
    return f"00-{trace_id}-00f067aa0ba902b7-01"


@pytest.fixture
def asked() -> list[str]:
    """The traces of three people."""
    return [new_id().hex for _ in range(3)]


@pytest_asyncio.fixture
async def ahead(ground) -> AsyncIterator[list[timedelta]]:
    """An orchestrator with one slot for syncs; its clock is ahead by the sum."""
    ahead: list[timedelta] = []
    given = {key.lower(): value for key, value in ground.environment("orchestrator").items()}
    changes = {"watch_every": 0.1, "max_syncs_per_organization": 1}
    settings = Settings.model_validate(given | changes)

    async def start(service) -> None:
        real = database_clock(service.database)

        async def clock():
            return await real() + sum(ahead, timedelta())

        await build(service, clock=clock)

    async with running("orchestrator", settings, partial(start)):
        yield ahead


@pytest_asyncio.fixture
async def trace_of(connect_bus, neighbours) -> TraceOf:
    """The trace id of the `count`-th SyncSource of a run, once this connection has heard it too."""
    said: list[tuple[bytes, str]] = []

    async def hear(message) -> None:
        said.append((message.data, (message.headers or {}).get("traceparent", "")[3:35]))

    await (await connect_bus("migrator")).watch(SyncSource.subject(), hear)

    async def find(run_id: UUID, count: int) -> str:
        async def heard() -> list[str] | None:
            found = [trace for body, trace in said if str(run_id).encode() in body]
            return found if len(found) >= count else None

        return (await eventually(heard))[count - 1]

    return find


async def test_a_wait_for_a_slot_a_repeat_and_a_retry_go_on_with_their_run(
    ahead, neighbours, trace_of, asked
) -> None:
    sources = [neighbours.source(name) for name in ("wells", "springs")]
    runs = []
    for trace_id, source in zip(asked, sources, strict=False):
        with continued(_traceparent(trace_id), "test"):
            runs.append(await neighbours.start(source))
    holder = await neighbours.hear(SyncSource)
    first, second = (runs.index(holder.run_id), 1 - runs.index(holder.run_id))
    assert await trace_of(runs[first], 1) == asked[first]

    # Its end gives the slot to the other run.
    problem = Problem(title="Bad", status=422, code="not_a_csv", detail="This is no CSV.")
    failed = SourceSyncFailed(
        run_id=holder.run_id, step_id=holder.step_id, lease=1, problem=problem
    )
    with continued(_traceparent(asked[first]), "test"):
        await neighbours.ingest.publish(failed, org_id=neighbours.org_id)
    await neighbours.hear(SyncSource, run_id=runs[second])
    assert await trace_of(runs[second], 1) == asked[second]

    ahead.append(timedelta(minutes=3))
    repeated = await neighbours.hear(SyncSource, run_id=runs[second], repeated=True)
    assert await trace_of(runs[second], 2) == asked[second]

    # Whoever retries asks anew.
    await neighbours.hear(RunFailed, run_id=runs[first])
    with continued(_traceparent(asked[2]), "test"):
        retry = RetryRun(run_id=runs[first], attempt=2)
        await neighbours.gateway.send(retry, org_id=neighbours.org_id, actor="tester")
    over = SourceSyncFailed(
        run_id=repeated.run_id, step_id=repeated.step_id, lease=1, problem=problem
    )
    with continued(_traceparent(asked[second]), "test"):
        await neighbours.ingest.publish(over, org_id=neighbours.org_id)
    await neighbours.hear(SyncSource, run_id=runs[first], attempt=2)
    assert await trace_of(runs[first], 2) == asked[2]
