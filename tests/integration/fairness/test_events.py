"""Starts of runs beside a flood of events from outside, through the gateway to the orchestrator."""

from tests.integration.gateway.conftest import (  # noqa: F401 - fixtures
    Gateway,
    Ingest,
    Member,
    _traces,
    gateway,
    ingest,
    member,
    sign_up,
    start_gateway,
)

from contracts.envelope import new_id

from .measure import Flood, assert_undisturbed

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
EVENT = {
    "specversion": "1.0",
    "source": "/etl",
    "type": "source.synced",
    "data": {"table": "wells"},
}


async def test_a_flood_of_events_leaves_run_starts_to_others(
    gateway: Gateway,  # noqa: F811
    member: Member,  # noqa: F811
    ingest: Ingest,  # noqa: F811
    sign_up,  # noqa: F811
    connect_bus,
) -> None:
    greedy = await sign_up(gateway)

    async def tell() -> int:
        events = [EVENT | {"id": new_id().hex} for _ in range(100)]
        response = await greedy.client.post("/events", json=events, headers=BATCH)
        if response.status_code == 429:
            assert int(response.headers["retry-after"]) > 0
            raise RuntimeError("refused")  # so that the lane pauses
        return response.status_code

    async def start() -> None:
        response = await member.client.post(f"/sources/{new_id()}/sync")
        assert response.status_code == 202, response.text
        shown = await member.client.get(f"/runs/{response.json()['id']}")
        assert shown.status_code == 200

    flood = Flood(tell, width=20, pause=0.3)
    await assert_undisturbed(start, flood)
    assert flood.outcomes.count(202) < 20
    assert [one for one in flood.outcomes if isinstance(one, RuntimeError)]
    migrator = await connect_bus("migrator")
    pattern = f"ext.{greedy.org_id.hex}.>"
    state = (await migrator.jetstream.stream_info("EXT", subjects_filter=pattern)).state
    assert sum((state.subjects or {}).values()) < 2000
    await migrator.jetstream.purge_stream("EXT", subject=pattern)
