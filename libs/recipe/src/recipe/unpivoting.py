"""Columns as rows: names beside cells, of one type."""

from typing import TYPE_CHECKING

import ibis

from recipe import semantics
from recipe.errors import gathering, within
from recipe.frame import Frame, Output
from recipe.grouping import column_beside
from recipe.widening import widened, widest

if TYPE_CHECKING:
    from recipe.steps.unpivot import Unpivot
    from recipe.tables import Column


def unpivoted(step: "Unpivot", frame: Frame) -> Frame:
    """One row for every row and value column.

    Two arrays of equal length, taken apart side by side: the rows before are read once, however
    many columns there are, and an empty cell is an element like any other.
    """
    outputs: list[Output] = []
    values: list[Column] = []
    with gathering() as parts:
        for index, name in enumerate(step.id_columns):
            with parts.at("id_columns", index):
                column = frame.column(name)
                beside = column_beside(column.name, column.type, outputs)
                outputs.append((beside, frame.value(column)))
        for index, name in enumerate(step.value_columns):
            with parts.at("value_columns", index):
                values.append(frame.column(name))
    kind = widest(column.type for column in values)
    names = ibis.array([semantics.literal(column.name) for column in values])
    cells = ibis.array([widened(frame.value(column), column.type, kind) for column in values])
    with within("name_to"):
        outputs.append((column_beside(step.name_to, "text", outputs), names.unnest()))
    with within("value_to"):
        outputs.append((column_beside(step.value_to, kind, outputs), cells.unnest()))
    return frame.select(outputs)
