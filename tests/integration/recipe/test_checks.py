"""Requirements of the data: what a step can ask, and what comes back, on a real PostgreSQL."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar

import asyncpg
import ibis
import pytest
import pytest_asyncio
from typing_extensions import override

from recipe import Compiled, Recipe, compile_recipe
from recipe.checks import Requirement, listed, shown
from recipe.frame import Frame
from recipe.guard import guard
from recipe.reading import read_table
from recipe.scope import Scope
from recipe.step import Step
from recipe.steps.limit import Limit
from recipe.steps.sort import Sort
from recipe.steps.source import Source
from recipe.tables import Column

from .cases import CONTEXT, SCHEMA, filled, refused, tables_of

TABLES = {
    "visits": {
        "columns": {"id": "integer", "count": "text"},
        "rows": [[1, "a"], [2, None], [2, "b"], [3, "c"]] + [[n, "d"] for n in range(10, 30)],
    },
    "people": {"columns": {"id": "integer"}, "rows": [[n] for n in (1, 2, *range(10, 30))]},
}

Offences = Callable[[Frame, Scope], Frame]


class Demand(Step):
    """A step that changes nothing and asks what it was made to ask."""

    type: ClassVar[str] = "demand"
    offences: Offences

    @classmethod
    @override
    def kind(cls) -> str:
        return "demand"

    @override
    def apply(self, frame: Frame, scope: Scope) -> Frame:
        def say(count: int, rows: Sequence[Sequence[object]]) -> str:
            return f"{count}: {listed([shown(row[0]) for row in rows], count)}"

        scope.require(Requirement(self.offences(frame, scope), "assert_failed", say, "columns.0"))
        return frame


def compiled(offences: Offences) -> Compiled:
    steps = (
        Source(type="source", table="visits"),
        Sort(type="sort", columns=("count",)),
        Limit(type="limit", count=24),
        Demand(id="d", offences=offences),
        Limit(type="limit", count=1),
    )
    return compile_recipe(
        Recipe.model_construct(steps=steps), tables_of({"tables": TABLES}), CONTEXT
    )


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_url)
    transaction = opened.transaction()
    await transaction.start()
    await filled({"tables": TABLES}, opened)
    yield opened
    await transaction.rollback()
    await opened.close()


def blank(frame: Frame, scope: Scope) -> Frame:
    return frame.filter(frame.table["count"].isnull())


def many(frame: Frame, scope: Scope) -> Frame:
    return frame.filter(frame.table["id"] >= ibis.literal(10))


def none(frame: Frame, scope: Scope) -> Frame:
    return frame.filter(frame.table["id"] > ibis.literal(99))


def twice(frame: Frame, scope: Scope) -> Frame:
    keys = frame.table.group_by(frame.table["id"]).aggregate(frame.table.count().name("times"))
    columns = (frame.column("id"), Column(name="times", physical="times", type="integer"))
    return Frame(keys.filter(keys["times"] > ibis.literal(1)), columns)


def too_few(frame: Frame, scope: Scope) -> Frame:
    rows = frame.table.aggregate(frame.table.count().name("rows"))
    column = Column(name="rows", physical="rows", type="integer")
    return Frame(rows.filter(rows["rows"] < ibis.literal(100)), (column,))


def orphans(frame: Frame, scope: Scope) -> Frame:
    people = read_table(scope.table("people")).table.view()
    kept = frame.table.anti_join(people, [frame.table["id"] == people["id"]])
    return Frame(kept, frame.columns, frame.order)


@pytest.mark.parametrize(
    ("offences", "message"),
    [
        (blank, "1: 2"),
        (twice, "1: 2"),
        (too_few, "1: 24"),
        (orphans, "1: 3"),
        (many, "20: 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, …"),
    ],
)
async def test_an_offence_is_told_with_its_number_and_ten_examples(
    offences: Offences, message: str, connection: asyncpg.Connection
) -> None:
    found = await refused(compiled(offences), connection)
    assert found is not None
    assert (found.step, found.step_id, found.type, found.field) == (3, "d", "demand", "columns.0")
    assert (found.code, found.message) == ("assert_failed", message)


async def test_what_holds_is_not_told(connection: asyncpg.Connection) -> None:
    assert await refused(compiled(none), connection) is None


@pytest.mark.parametrize("offences", [blank, twice, too_few, orphans, many])
def test_the_guard_lets_a_check_pass(offences: Offences) -> None:
    (asked,) = compiled(offences).checks
    guard(asked.sql, {SCHEMA})
    assert asked.columns[0].name in {"id", "rows"}
