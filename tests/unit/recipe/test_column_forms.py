"""Forms of the steps on columns: each choice has a name that people read."""

from collections.abc import Iterator
from typing import Any

import pytest

from recipe.recipe import STEPS_BY_TYPE

COLUMN_STEPS = [
    "clean",
    "replace",
    "cast",
    "split",
    "extract_text",
    "categorize",
    "bin",
    "add_column",
    "flatten_json",
    "split_select_multiple",
    "mask",
]
TOLD_ELSEWHERE = {"Rule.operator", "Comparison.operator"}
"""Operators are drawn by the type of their column."""


def fields(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    schema = STEPS_BY_TYPE[kind].model_json_schema(by_alias=True)
    for holder in (schema, *schema.get("$defs", {}).values()):
        for name, field in holder.get("properties", {}).items():
            if name != "type" or field.get("control"):
                yield f"{holder['title']}.{name}", field


def choices(form: dict[str, Any]) -> set[str]:
    """What may be chosen: the field's own values, its items', or those of a mapping."""
    inner = (form.get("items"), form.get("additionalProperties"), *form.get("anyOf", ()))
    found = set(form.get("enum", ()))
    return found.union(*(choices(each) for each in inner if isinstance(each, dict)))


@pytest.mark.parametrize("kind", COLUMN_STEPS)
def test_every_choice_of_a_step_on_columns_has_a_label(kind: str) -> None:
    for name, field in fields(kind):
        if name not in TOLD_ELSEWHERE and choices(field):
            assert set(field["enum_labels"]) == choices(field), name


@pytest.mark.parametrize("kind", COLUMN_STEPS)
def test_every_field_that_must_be_filled_has_an_example(kind: str) -> None:
    schema = STEPS_BY_TYPE[kind].model_json_schema(by_alias=True)
    for name in schema["required"]:
        field = schema["properties"][name]
        assert name == "type" or field.get("examples") or choices(field), name
