"""What the data itself must be like: offending rows that no check of columns can foresee.

A step states a `Requirement`: a table that holds a row for each offence, and stays empty when all
is well. Anything that a query can tell fits: cells (`frame.filter(bad)`), keys that occur twice,
rows without a partner in another table, or the one row of a count that lies outside its bounds.
A compiled recipe carries them as `DataCheck`s, in the order of its steps: whoever builds the recipe
runs each statement, and asks `judge` what its rows mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from recipe.errors import RecipeError
from recipe.tables import Column

if TYPE_CHECKING:
    from recipe.frame import Frame

CheckCode = Literal["cast_failed", "assert_failed"]
Severity = Literal["fail", "warn"]

SHOWN = 10
"""Offenders that are shown; all of them are counted."""

_LONGEST = 80
"""Characters of a cell in a message."""

Row = Sequence[object]
Saying = Callable[[int, Sequence[Row]], str]
"""The message: from the number of offences, and up to ten of them."""


@dataclass(frozen=True)
class Requirement:
    """What a step needs of the data: `offences` has no row.

    The rows that are shown come first in the order of `offences`, with exactly its columns.
    """

    offences: "Frame"
    code: CheckCode
    say: Saying
    field: str = ""
    severity: Severity = "fail"


@dataclass(frozen=True)
class DataCheck:
    """A requirement of one step as a statement.

    `sql` is one SELECT, for the same session as the recipe's own. It gives no row when all is well;
    else up to ten offences: how many there are in all, then `columns`.
    """

    step: int
    step_id: str | None
    type: str
    field: str | None
    code: CheckCode
    severity: Severity
    columns: tuple[Column, ...]
    sql: str
    say: Saying

    def judge(self, rows: Sequence[Row]) -> RecipeError | None:
        """What the statement's rows mean: None, or the problem in words."""
        if not rows:
            return None
        offenders = [tuple(row)[1:] for row in rows]
        count = rows[0][0]
        assert isinstance(count, int)
        return RecipeError(
            step=self.step,
            step_id=self.step_id,
            type=self.type,
            field=self.field,
            code=self.code,
            message=self.say(count, offenders),
        )


def shown(cell: object) -> str:
    """A cell as it stands in a message: text in quotes, numbers plainly, times as ISO 8601."""
    match cell:
        case None:
            return "nothing"
        case bool():
            return str(cell).lower()
        case str():
            cut = cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]}…"
            return f"'{cut}'"
        case Decimal():
            plain = format(cell, "f")
            return plain.rstrip("0").rstrip(".") if "." in plain else plain
        case datetime():
            return cell.isoformat(" ")
        case date():
            return cell.isoformat()
        case _:
            return str(cell)


def listed(examples: Sequence[str], count: int) -> str:
    """Examples in a row, and a sign that there are more if `count` says so."""
    text = ", ".join(examples)
    return f"{text}, …" if count > len(examples) else text
