"""A formula whose every part has a type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recipe.errors import misfit
from recipe.formula.tree import Value
from recipe.tables import NUMBERS, TIMES, Column, ColumnType

if TYPE_CHECKING:
    from recipe.formula.function import Function


@dataclass(frozen=True, eq=False)
class Typed:
    """A value, a column or a call; exactly one of the three is there. Compared by identity."""

    type: ColumnType
    position: int
    value: Value | None = None
    column: Column | None = None
    function: "Function | None" = None
    arguments: "tuple[Typed, ...]" = ()

    @property
    def empty(self) -> bool:
        """Whether it is `""`, which stands for an empty cell of any type."""
        return self.value == "" and self.type == "text"

    def shown(self) -> str:
        """How a message calls it."""
        if self.column is not None:
            return f"[{self.column.name}]"
        if self.function is not None:
            return self.function.signature.name
        return f'"{self.value}"' if self.type == "text" else str(self.value).upper()


def common_type(branches: Sequence[Typed]) -> ColumnType:
    """The type that values of all branches have: integers widen to decimals, dates to timestamps.

    Raises:
        Misfit: `wrong_type` for two that have no type in common.
    """
    telling = [branch for branch in branches if not branch.empty] or list(branches)
    found = telling[0].type
    for branch in telling[1:]:
        pair = {found, branch.type}
        if pair <= NUMBERS and len(pair) == 2:
            found = "decimal"
        elif pair <= TIMES and len(pair) == 2:
            found = "timestamp"
        elif len(pair) == 2:
            raise misfit(
                "wrong_type",
                f"The result would be {found} or {branch.type}: {branch.shown()} at"
                f" {branch.position} does not go with {telling[0].shown()} at"
                f" {telling[0].position}; TEXT(…) makes both text.",
            )
    return found
