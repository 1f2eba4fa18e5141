"""Fields of JSON, and choices of an answer, as cells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.casting import converted, prepared
from recipe.dialect import scalar
from recipe.errors import within
from recipe.frame import Frame, Output
from recipe.lists import has_each
from recipe.placing import Made, placed
from recipe.tables import ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.scope import Scope
    from recipe.steps.flatten_json import FlattenJson


def flattened(step: "FlattenJson", frame: Frame, scope: "Scope") -> Frame:
    """The frame with the step's fields as columns after the JSON they come from."""
    with within("column"):
        column = frame.column(step.column, ("json",), "Flattening")
    made: list[Made] = []
    types: dict[str, ColumnType] = {}
    for index, field in enumerate(step.each()):
        found = _at(frame.value(column), field.path)
        name = field.column_name()
        place = ("fields", index)
        if field.type == "json":
            made.append(Made(name, "json", scalar("nullif", "unknown", found, _null()), place))
        elif field.type == "text":
            made.append(Made(name, "text", converted(found, "json", "text"), place))
        else:
            made.append(Made(name, "text", prepared(found, "json"), place))
            types[name] = field.type
    result = placed(frame, column, made, replacing=step.replace)
    return _typed(scope.settle(result), types) if types else result


def _typed(frame: Frame, types: Mapping[str, ColumnType]) -> Frame:
    """The text of fields read as their types; null where it does not fit."""
    outputs: list[Output] = []
    for column, cells in frame.outputs():
        target = types.get(column.name, column.type)
        new = column.model_copy(update={"type": target})
        outputs.append((new, cells if new == column else converted(cells, "text", target)))
    return frame.select(outputs)


def _at(cells: "ir.Value", path: str) -> "ir.Value":
    """What stands under that name, else where its dots lead."""
    found = _under(cells, [path])
    return ibis.coalesce(found, _under(cells, path.split("."))) if "." in path else found


def _under(cells: "ir.Value", keys: list[str]) -> "ir.Value":
    return scalar("jsonb_extract_path", "unknown", cells, *(ibis.literal(key) for key in keys))


def _null() -> "ir.Value":
    return scalar("rx_jsonb", "unknown", ibis.literal("null"))


def chosen(cells: "ir.Column", type: ColumnType, choice: str | int) -> "ir.Value":
    """1 where an answer has the choice, 0 where it has not, null where there is no answer."""
    answer = scalar("nullif", "unknown", cells, _null()) if type == "json" else cells
    found = has_each("has", cells, type, choice)
    return ibis.cases(
        (semantics.is_blank(answer, type), ibis.null()), (found, ibis.literal(1)), else_=0
    )
