"""A form is drawn from the JSON Schema alone: every field says how it is called and chosen."""

from collections.abc import Iterator
from typing import Any

import pytest

from recipe.recipe import STEPS_BY_TYPE

CONTROLS = [
    "table",
    "column",
    "columns",
    "new_column",
    "value",
    "predicate",
    "choice",
    "list",
    "formula",
]
ROW_STEPS = [
    "filter",
    "distinct",
    "dedupe",
    "sort",
    "limit",
    "top",
    "sample",
    "union",
    "join",
    "unnest",
    "fill",
    "drop_blank",
    "coalesce",
]


def fields(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields of a step, and of the parts that it is made of, under their names in JSON."""
    schema = STEPS_BY_TYPE[kind].model_json_schema(by_alias=True)
    hidden = {
        field["anyOf"][0]["$ref"].rpartition("/")[2]
        for field in schema["properties"].values()
        if field.get("hidden") and "$ref" in field.get("anyOf", ({},))[0]
    }
    for title, holder in (("", schema), *schema.get("$defs", {}).items()):
        if title in hidden:
            continue
        for name, field in holder.get("properties", {}).items():
            if name != "type" and not field.get("hidden"):
                yield f"{holder['title']}.{name}", field


def choices(field: dict[str, Any]) -> list[str]:
    for form in (field, *field.get("anyOf", ())):
        if "enum" in form:
            return form["enum"]
    return []


@pytest.mark.parametrize("kind", STEPS_BY_TYPE)
def test_every_field_of_a_step_says_how_it_is_drawn(kind: str) -> None:
    for name, field in fields(kind):
        assert field.get("control") in CONTROLS, name
        assert field.get("label"), name
    assert STEPS_BY_TYPE[kind].label
    assert STEPS_BY_TYPE[kind].__doc__


@pytest.mark.parametrize("kind", ROW_STEPS)
def test_every_choice_of_a_step_on_rows_has_a_label(kind: str) -> None:
    for name, field in fields(kind):
        assert set(field.get("enum_labels", ())) == set(choices(field)), name


@pytest.mark.parametrize("kind", STEPS_BY_TYPE)
def test_what_decides_whether_a_field_is_drawn_exists(kind: str) -> None:
    own = STEPS_BY_TYPE[kind].model_json_schema(by_alias=True)
    for holder in (own, *own.get("$defs", {}).values()):
        for name, field in holder.get("properties", {}).items():
            for other, values in field.get("x-show", {}).items():
                known = choices(holder["properties"][other])
                assert set(values) <= set(known), name
            if "of" in field:
                assert field["of"] in holder["properties"], name
