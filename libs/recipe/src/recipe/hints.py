"""What a form needs to know of a field beyond its JSON Schema.

Controls: `table`, `column`, `columns`, `new_column`, `value`, `predicate`, `choice`, `list`,
`formula`; where columns are chosen, `column_types` says which fit, and `of` says which table they
belong to. `enum_labels` says how each choice is called.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic.config import JsonDict

from recipe.tables import ColumnType

F = TypeVar("F", bound=str)

SHOW = "x-show"
"""Draw the field only when another field has one of these values."""


def hint(
    control: str,
    label: str,
    *,
    types: Sequence[ColumnType] = (),
    of: str = "",
    show: dict[str, list[str]] | None = None,
    labels: dict[str, str] | None = None,
) -> JsonDict:
    """The extra schema of one field; empty answers are left out."""
    extra: JsonDict = {"control": control, "label": label}
    if types:
        extra["column_types"] = list(types)
    if of:
        extra["of"] = of
    if show:
        extra[SHOW] = {field: list(values) for field, values in show.items()}
    if labels:
        extra["enum_labels"] = dict(labels)
    return extra


TYPE_LABELS: dict[str, str] = {
    "text": "Text",
    "integer": "Whole number",
    "decimal": "Number",
    "date": "Date",
    "timestamp": "Date and time",
    "boolean": "Yes or no",
    "json": "JSON",
}
"""How people call the types."""


def function_hint(
    label: str, labels: Mapping[F, str], takes: Mapping[F, Sequence[ColumnType]]
) -> JsonDict:
    """The extra schema of a choice of functions.

    `functions` in it says which column types each takes; none: it takes no column.
    """
    named = {str(name): text for name, text in labels.items()}
    functions: JsonDict = {str(name): list(types) for name, types in takes.items()}
    return {**hint("choice", label, labels=named), "functions": functions}
