"""Previews of one organisation beside another one's that never end by themselves."""

import itertools

import pytest

from contracts.transform import ListTables, PreviewRecipe, PreviewTable, ProfileTable

from .measure import Flood, assert_undisturbed


@pytest.mark.parametrize("preview_timeout", ["2"], indirect=True)
async def test_cross_joins_leave_others_a_connection(transform, stand, other, column_factory):
    rows = "SELECT generate_series(1, 3000) AS n"
    for each in (stand, other):
        await each.source("numbers", rows, column_factory(n="integer"))
    numbers = itertools.count()
    greedy, ordinary = await stand.as_("gateway"), await other.as_("gateway")
    cross = {"type": "join", "with": "numbers", "join_type": "cross"}
    crosses = [{"type": "source", "table": "numbers"}, *(cross | {"prefix": p} for p in "abc")]

    async def flood() -> None:
        recipe: dict[str, object] = {
            "steps": [*crosses, {"type": "limit", "count": next(numbers) + 10_000_000}]
        }
        await greedy.ask(PreviewRecipe(recipe=recipe), org_id=stand.org_id, timeout=60)

    async def work() -> None:
        page = await ordinary.ask(PreviewTable(name="numbers"), org_id=other.org_id, timeout=30)
        assert page.total_count == 3000
        profile = await ordinary.ask(ProfileTable(name="numbers"), org_id=other.org_id, timeout=30)
        assert profile.total_rows == 3000
        await ordinary.ask(ListTables(), org_id=other.org_id, timeout=30)

    beside = Flood(flood, width=120, pause=0.5)
    await assert_undisturbed(work, beside)
    assert beside.problems["share_used_up"]
    assert set(beside.problems) <= {
        "share_used_up",
        "preview_timed_out",
        "no_answer",
        "all_places_taken",
    }
