"""Ordinary requests of one organisation beside a flood of another's, at one replica."""

import asyncio
from uuid import UUID

from chassis.answers import Answers
from chassis.bus import Bus
from contracts.envelope import Meta, new_id
from contracts.transform import ListTables, WarehouseTables

from ...conftest import Ground
from .measure import Flood, assert_undisturbed


async def test_a_flood_of_slow_requests_leaves_slots_to_others(ground: Ground, bus: Bus) -> None:
    greedy, other = new_id(), new_id()
    answers = Answers(ground.bus("transform"), "transform")

    async def list_tables(_: ListTables, meta: Meta) -> WarehouseTables:
        await asyncio.sleep(3 if meta.org_id == greedy else 0.01)
        return WarehouseTables(tables=())

    answers.answer(ListTables, list_tables)
    await answers.start()

    async def ask(org_id: UUID) -> None:
        await bus.ask(ListTables(), org_id=org_id, timeout=10)

    flood = Flood(lambda: ask(greedy), width=200)
    try:
        await assert_undisturbed(lambda: ask(other), flood)
    finally:
        await answers.stop()
    assert set(flood.problems) == {"share_used_up"}
    assert len([one for one in flood.outcomes if one is not None]) == flood.problems.total()
