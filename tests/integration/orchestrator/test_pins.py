"""Which versions a run that has not ended was planned on."""

import pytest

from contracts.envelope import new_id
from contracts.ingest import SyncSource
from contracts.orchestrator import (
    FindPinnedVersions,
    RetryRun,
    RunCancelled,
    RunQueued,
    RunSucceeded,
)
from contracts.transform import BuildTransformation, PublishRun


@pytest.fixture
async def orchestrator(start_service):
    return await start_service("orchestrator")


@pytest.fixture
def pinned(neighbours):
    """Those that are pinned of a run's version and of two that nobody knows."""

    async def ask(relation: str, org_id=None) -> tuple[str, ...]:
        asked = FindPinnedVersions(relations=("v_old", relation, "v_gone"))
        answer = await neighbours.transform.ask(asked, org_id=org_id or neighbours.org_id)
        return answer.relations

    return ask


async def test_what_a_run_was_planned_on_is_pinned_until_it_has_ended(
    orchestrator, neighbours, pinned
):
    wells = new_id()
    clean = neighbours.recipe("clean", wells)
    version = neighbours.version(wells)
    neighbours.seen = {wells: version}
    assert await pinned(version.relation) == ()
    run_id = await neighbours.start(recipes=(clean,))
    build = await neighbours.hear(BuildTransformation, run_id=run_id)
    assert [table.relation for table in build.inputs] == [version.relation]
    assert await pinned(version.relation) == (version.relation,)
    assert await pinned(version.relation, new_id()) == ()
    await neighbours.built(run_id, build.step_id, clean)
    publish = await neighbours.hear(PublishRun, run_id=run_id)
    assert await pinned(version.relation) == (version.relation,)
    await neighbours.published(publish)
    await neighbours.hear(RunSucceeded, run_id=run_id)
    assert await pinned(version.relation) == ()


async def test_a_run_that_waits_to_be_begun_again_has_its_pins_back(
    orchestrator, neighbours, pinned
):
    wells = neighbours.source("wells")
    version = neighbours.version(wells)
    neighbours.seen = {wells: version}
    run_id = await neighbours.start(wells)
    await neighbours.hear(SyncSource, run_id=run_id)
    await neighbours.cancel(run_id)
    await neighbours.hear(RunCancelled, run_id=run_id)
    assert await pinned(version.relation) == ()
    neighbours.seen = {}
    other = await neighbours.start(wells)
    await neighbours.hear(SyncSource, run_id=other)
    await neighbours.gateway.send(RetryRun(run_id=run_id, attempt=2), org_id=neighbours.org_id)
    await neighbours.hear(RunQueued, run_id=run_id, count=2)
    assert await neighbours.status(run_id) == "queued"
    assert await pinned(version.relation) == (version.relation,)
