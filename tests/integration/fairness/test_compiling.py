"""Recipes of one organisation beside another one's that take seconds to compile."""

import itertools

from contracts.transform import PreviewRecipe, RecipeCheck, ValidateRecipe

from .measure import Flood, assert_undisturbed

NUMBERS = "SELECT 1 AS n"


def costly(number: int) -> dict[str, object]:
    """A legal recipe of 51 KB that takes many seconds to compile; each number gives another."""
    formula = "+".join(["[N]"] * 490)
    steps = [
        {
            "type": "add_column",
            "name": f"c{n}",
            "expression_type": "formula",
            "formula": f"{formula}+{number}",
        }
        for n in range(10)
    ]
    values = {"column": "N", "operator": "in", "value": list(range(100_000, 104_000))}
    return {
        "steps": [
            {"type": "source", "table": "numbers"},
            {"type": "filter", "where": values},
            *steps,
        ]
    }


def small(number: int) -> dict[str, object]:
    """A recipe that was never compiled before."""
    return {
        "steps": [
            {"type": "source", "table": "numbers"},
            {"type": "limit", "count": number + 1},
        ]
    }


async def test_costly_recipes_leave_others_a_compiler(transform, stand, other, column_factory):
    for each in (stand, other):
        await each.source("numbers", NUMBERS, column_factory(n="integer"))
    numbers = itertools.count()
    greedy, ordinary = await stand.as_("gateway"), await other.as_("gateway")

    async def flood() -> None:
        asked = ValidateRecipe(recipe=costly(next(numbers)))
        await greedy.ask(asked, org_id=stand.org_id, actor="greedy", timeout=60)

    async def work() -> None:
        recipe = small(next(numbers))
        org_id = other.org_id
        checked = await ordinary.ask(ValidateRecipe(recipe=recipe), org_id=org_id, timeout=30)
        assert isinstance(checked, RecipeCheck)
        assert checked.valid
        page = await ordinary.ask(PreviewRecipe(recipe=recipe), org_id=org_id, timeout=30)
        assert page.total_count == 1

    beside = Flood(flood, width=120, pause=0.5)
    await assert_undisturbed(work, beside)
    assert beside.problems["share_used_up"]
    assert set(beside.problems) <= {
        "share_used_up",
        "recipe_too_expensive",
        "no_answer",
        "all_places_taken",
    }
