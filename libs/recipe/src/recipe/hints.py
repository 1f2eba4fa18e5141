"""What a form needs to know of a field beyond its JSON Schema.

Controls: `table`, `column`, `columns`, `new_column`, `value`, `predicate`, `choice`, `list`,
`formula`; where columns are chosen, `column_types` says which fit, and `of` says which table they
belong to.
"""

from collections.abc import Sequence

from pydantic.config import JsonDict

from recipe.tables import ColumnType

SHOW = "x-show"
"""Draw the field only when another field has one of these values."""


def hint(
    control: str,
    label: str,
    *,
    types: Sequence[ColumnType] = (),
    of: str = "",
    show: dict[str, list[str]] | None = None,
) -> JsonDict:
    """The extra schema of one field; empty answers are left out."""
    extra: JsonDict = {"control": control, "label": label}
    if types:
        extra["column_types"] = list(types)
    if of:
        extra["of"] = of
    if show:
        extra[SHOW] = {field: list(values) for field, values in show.items()}
    return extra
