"""Whatever a user writes stays text: names are only names, values only values."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recipe import Column, Context, Table, check, compile_recipe, parse
from recipe.guard import guard
from recipe.naming import physical_names

from .test_any_recipe import CHECKS, Database, database, fill
from .wild import CELLS, CONTEXT, SCHEMA

__all__ = ["database"]

GOLDEN = Path(__file__).parents[2] / "golden" / "recipe"
GOLDENS = {path.stem: json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))}

HOSTILE = (
    *("'", '"', "''", "\\", "\\'", ";", "$$", "$1", "$tag$", "--", "/*", "*/", "%s", "{}", "`"),
    *(
        "'; DROP TABLE x; --",
        '"; SELECT 1; --',
        "$$; SELECT pg_sleep(9); $$",
        "E'\\x27'",
        "U&'\\0027'",
    ),
    *(
        "\n",
        "\r\n",
        "\t",
        "\u200b",
        "\u202eRTL",
        "שלום",
        "😀",
        "e\u0301",
        "\u00a0",
        "[x]",
        "]]",
        "?",
        ":a",
    ),
    *("%", "_", "\\d+", "(", "[", "*", "(?=a)", "x" * 10_000),
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.sampled_from("'\"\\;$-/*%_{}[]()\n\u202e😀aZ0 "), min_size=1, max_size=20),
)

unstorable = st.one_of(texts, st.sampled_from(["\0", "a\0b", "\ud800"]))
"""PostgreSQL's text holds no NUL and no half of a character: these are refused, never met."""

PEOPLE: Mapping[str, str] = {
    "id": "text",
    "Full name": "text",
    "district_id": "integer",
    "age": "integer",
    "weight": "decimal",
    "joined": "date",
    "seen_at": "timestamp",
    "active": "boolean",
    "answers": "json",
}
PLACES: Mapping[str, str] = {"id": "integer", "name": "text", "state": "text"}

WORDS_OF_THE_LANGUAGE = {
    "type",
    "expression_type",
    "operator",
    "function",
    "part",
    "unit",
    "method",
}
"""Fields whose words may be a column's name too, and are not meant as one."""

Json = Any
Leaf = tuple[str | int, ...]


def table(number: int, name: str, columns: Mapping[str, str]) -> Table:
    physical = physical_names(list(columns))
    return Table(
        table_id=str(number),
        display_name=name,
        physical_name=f"source_{number}",
        schema_name=SCHEMA,
        relation=f"v_{number}",
        columns=tuple(
            Column.model_validate({"name": display, "physical": inner, "type": kind})
            for inner, (display, kind) in zip(physical, columns.items(), strict=True)
        ),
    )


TABLES = {
    "beneficiaries": table(0, "beneficiaries", PEOPLE),
    "districts": table(1, "districts", PLACES),
}


def content(given_tables: Mapping[str, Table]) -> dict[str, list[tuple[object, ...]]]:
    """Nine rows of every table, the same for the same types."""
    return {
        name: [
            tuple(
                CELLS[column.type][(row * 5 + place) % len(CELLS[column.type])]
                for place, column in enumerate(table.columns)
            )
            for row in range(9)
        ]
        for name, table in given_tables.items()
    }


def run(
    database: Database, recipe: Json, given_tables: Mapping[str, Table], context: Context = CONTEXT
) -> list[tuple[object, ...]]:
    """The rows of a recipe, behind the same guard as in the product."""
    compiled = compile_recipe(parse(recipe), given_tables, context)
    guard(compiled.sql, {SCHEMA})
    database.execute("begin; set local statement_timeout = '20s'")
    try:
        fill(database, given_tables, content(given_tables))
        return database.fetch(compiled.sql)[1]
    finally:
        database.execute("rollback")


def renamed(value: Json, names: Mapping[str, str]) -> Json:
    """The recipe with columns called otherwise, in formulas too."""
    if isinstance(value, dict):
        return {
            names.get(key, key): inner if key in WORDS_OF_THE_LANGUAGE else renamed(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [renamed(inner, names) for inner in value]
    if isinstance(value, str):
        if value in names:
            return names[value]
        for old, new in names.items():
            value = value.replace(f"[{old}]", f"[{new.replace(']', ']]')}]")
    return value


def leaves(value: Json, at: Leaf = ()) -> Iterator[Leaf]:
    """Where a text stands in a recipe; what names a kind of step does not count."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "type":
                yield from leaves(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*at, index))
    elif isinstance(value, str):
        yield at


def put(value: Json, at: Leaf, text: str) -> Json:
    changed = copy.deepcopy(value)
    place = changed
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = text
    return changed


def quiet(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=CHECKS,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )


@pytest.mark.parametrize("step", sorted(GOLDENS))
def test_a_column_may_be_called_anything(step: str, database: Database) -> None:
    wanted = run(database, GOLDENS[step], TABLES)

    @quiet(4)
    @given(st.lists(texts, min_size=len(PEOPLE), max_size=len(PEOPLE), unique_by=str.casefold))
    def holds(drawn: list[str]) -> None:
        # A name that the other table has too would be meant there as well. With the dot in it none
        # is like a cell.
        own = [name for name in PEOPLE if name not in PLACES]
        names = {
            old: f"{new}·{number}"[-250:]
            for number, (old, new) in enumerate(zip(own, drawn, strict=False))
        }
        hostile = table(
            0, "beneficiaries", {names.get(old, old): kind for old, kind in PEOPLE.items()}
        )
        found = run(database, renamed(GOLDENS[step], names), TABLES | {"beneficiaries": hostile})
        # An unpivoted name is a cell, and says what the column is called now.
        shown = {repr(new): repr(old) for old, new in names.items()}
        again = [tuple(shown.get(repr(cell), repr(cell)) for cell in row) for row in found]
        assert again == [tuple(map(repr, row)) for row in wanted]

    holds()


@pytest.mark.parametrize("step", sorted(GOLDENS))
def test_a_text_in_any_field_is_taken_as_it_is_or_refused_in_words(
    step: str, database: Database
) -> None:
    fields = list(leaves(GOLDENS[step]["steps"], ("steps",)))

    @quiet(15)
    @given(st.sampled_from(fields), unstorable)
    def holds(at: Leaf, text: str) -> None:
        recipe = put(GOLDENS[step], at, text)
        checked = check(recipe, TABLES, CONTEXT)
        errors = checked.errors
        if checked.open is not None:
            # Names that were read elsewhere say nothing: they are to be read again.
            return
        if errors:
            assert all(error.message and len(error.message) < 2000 for error in errors)
            assert errors[0].step >= int(at[1]) or "cannot be stored" in errors[0].message
        else:
            run(database, recipe, TABLES)

    holds()


CASES: dict[str, tuple[Callable[[str], list[Json]], Callable[[str, str], object]]] = {
    "a constant": (
        lambda text: [
            {"type": "add_column", "name": "new", "expression_type": "constant", "value": text}
        ],
        lambda text, _: text,
    ),
    "a separator": (
        lambda text: [
            {
                "type": "add_column",
                "name": "new",
                "expression_type": "concat",
                "columns": ["it", "it"],
                "separator": text,
            }
        ],
        lambda text, cell: f"{cell}{text}{cell}",
    ),
    "a category": (
        lambda text: [
            {
                "type": "categorize",
                "new_column": "new",
                "source_column": "it",
                "rules": [{"operator": "is_null", "category": "none"}],
                "default": text,
            }
        ],
        lambda text, _: text,
    ),
    "a compared value": (
        lambda text: [
            {
                "type": "categorize",
                "new_column": "new",
                "source_column": "it",
                "rules": [{"operator": "equals", "value": text, "category": "same"}],
                "default": "other",
            }
        ],
        lambda text, cell: "same" if cell == text else "other",
    ),
    "a listed value": (
        lambda text: [
            {
                "type": "categorize",
                "new_column": "new",
                "source_column": "it",
                "rules": [
                    {
                        "operator": "in",
                        "value": [text, "something else"],
                        "category": "same",
                    }
                ],
                "default": "other",
            }
        ],
        lambda text, cell: "same" if cell == text else "other",
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_a_text_means_itself(what: str, database: Database) -> None:
    build, meant = CASES[what]
    only = table(0, "cells", {"it": "text"})

    @quiet(40)
    @given(texts.filter(lambda text: bool(text.strip(" \n\t\r\u200b\u00a0"))), texts)
    def holds(text: str, other: str) -> None:
        steps = [{"type": "source", "table": "cells"}, *build(text)]
        compiled = compile_recipe(parse({"steps": steps}), {"cells": only}, CONTEXT)
        guard(compiled.sql, {SCHEMA})
        cells = [cell for cell in (text, f"x{other}") if cell.strip()]
        database.execute("begin")
        try:
            fill(database, {"cells": only}, {"cells": [(cell,) for cell in cells]})
            found = {cell: new for cell, new in database.fetch(compiled.sql)[1]}  # noqa: C416
        finally:
            database.execute("rollback")
        assert found == {cell: meant(text, cell) for cell in cells}

    holds()
