"""What is kept of a run's steps and publishing goes when the orchestrator has forgotten the run."""

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.orchestrator import RunsForgotten


async def test_what_is_kept_of_a_forgotten_run_goes_and_of_no_other(
    start_service, connect_bus, org_id
):
    transform = await start_service("transform")
    forgotten, kept = new_id(), new_id()
    async with transform.database.organization(org_id) as connection:
        for run_id in (forgotten, kept):
            await connection.execute(
                "INSERT INTO publications (run_id, org_id, outcome, event) "
                "VALUES ($1, $2, 'aborted', '{}')",
                run_id,
                org_id,
            )
            await connection.execute(
                "INSERT INTO transformation_runs (step_id, org_id, run_id, transformation_id) "
                "VALUES ($1, $2, $3, $1)",
                new_id(),
                org_id,
                run_id,
            )
            await connection.execute(
                "INSERT INTO cancelled_runs (run_id, org_id) VALUES ($1, $2)", run_id, org_id
            )
    orchestrator = await connect_bus("orchestrator")
    await orchestrator.publish(RunsForgotten(run_ids=(forgotten, new_id())), org_id=org_id)

    async def left() -> bool:
        tables = ("publications", "transformation_runs", "cancelled_runs")
        async with transform.database.organization(org_id) as connection:
            found = [await connection.fetch(f"SELECT run_id FROM {name}") for name in tables]
        return all([row["run_id"] for row in rows] == [kept] for rows in found)

    await eventually(left)
