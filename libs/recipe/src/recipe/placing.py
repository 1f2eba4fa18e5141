"""Where new columns stand that are made from one column: right after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recipe.errors import gathering, misfit
from recipe.frame import Frame, Output
from recipe.tables import Column, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Made:
    """A new column, and the field of the step that names it."""

    name: str
    type: ColumnType
    cells: "ir.Value"
    field: tuple[str | int, ...]


def placed(
    frame: Frame, source: Column, made: Sequence[Made], *, replacing: bool, keep: bool = True
) -> Frame:
    """The frame with the new columns after their source, which goes unless it is kept.

    A column that is replaced keeps its place.

    Raises:
        Misfit: `duplicate_column`, at the field of each name that is taken.
    """
    staying = [column for column in frame.columns if keep or column != source]
    taken = {column.name for column in staying}
    by_name: dict[str, Made] = {}
    with gathering() as parts:
        for new in made:
            with parts.at(*new.field):
                if new.name in by_name:
                    raise misfit(
                        "duplicate_column", f"There would be two columns named '{new.name}'."
                    )
                if new.name in taken and not replacing:
                    raise misfit(
                        "duplicate_column",
                        f"There is a column '{new.name}' already; choose another name, or set "
                        "replace.",
                    )
                by_name[new.name] = new
    outputs: list[Output] = []
    fresh: list[Column] = []
    for column, cells in frame.outputs():
        if column in staying:
            new = by_name.get(column.name)
            if new is None:
                outputs.append((column, cells))
            else:
                outputs.append((column.model_copy(update={"type": new.type}), new.cells))
        if column == source:
            for new in made:
                if new.name not in taken:
                    fresh.append(frame.new_column(new.name, new.type, fresh))
                    outputs.append((fresh[-1], new.cells))
    return frame.select(outputs)
