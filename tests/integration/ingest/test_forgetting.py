"""What is kept of a run's syncs goes with the run, but for those that made what still exists."""

from chassis.testing import eventually
from contracts.envelope import Meta, new_id
from contracts.orchestrator import RunsForgotten
from contracts.transform import FindMissingVersions, MissingVersions


async def test_syncs_of_a_forgotten_run_go_unless_a_version_of_theirs_exists(
    start_service, connect_bus, stand_in, org_id
):
    async def find_missing(request: FindMissingVersions, _: Meta) -> MissingVersions:
        assert set(request.relations) == {"v_here", "v_gone"}
        return MissingVersions(relations=("v_gone",))

    await stand_in("transform", {FindMissingVersions: find_missing})
    ingest = await start_service("ingest")
    forgotten, other = new_id(), new_id()
    async with ingest.database.organization(org_id) as connection:

        async def keep(run_id, outcome, unchanged=False, relation="v_here"):
            step_id = new_id()
            event = {"tables": [{"relation": relation}], "unchanged": unchanged}
            await connection.execute(
                "INSERT INTO sync_runs (step_id, org_id, run_id, source_id, outcome, event) "
                "VALUES ($1, $2, $3, $1, $4, $5)",
                step_id,
                org_id,
                run_id,
                outcome,
                event,
            )
            return step_id

        kept = {await keep(forgotten, "synced"), await keep(other, "failed")}
        await keep(forgotten, "synced", relation="v_gone")
        await keep(forgotten, "synced", unchanged=True)
        await keep(forgotten, "failed")
        await keep(forgotten, None)
        await connection.execute(
            "INSERT INTO cancelled_runs (run_id, org_id) VALUES ($1, $2)", forgotten, org_id
        )
    orchestrator = await connect_bus("orchestrator")
    await orchestrator.publish(RunsForgotten(run_ids=(forgotten,)), org_id=org_id)

    async def left() -> bool:
        async with ingest.database.organization(org_id) as connection:
            steps = await connection.fetch("SELECT step_id FROM sync_runs")
            cancelled = await connection.fetchval("SELECT count(*) FROM cancelled_runs")
        return {row["step_id"] for row in steps} == kept and cancelled == 0

    await eventually(left)
