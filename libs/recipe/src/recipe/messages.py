"""The messages of data checks: plain values, so that a compiled recipe can be pickled."""

from collections.abc import Sequence
from dataclasses import dataclass

from recipe.checks import Row, listed, shown


@dataclass(frozen=True)
class RowCountMessage:
    """A table has too few or too many rows."""

    least: int | None
    most: int | None

    def __call__(self, _: int, found: Sequence[Row]) -> str:
        """From the one row of the count."""
        count = found[0][0]
        few = self.least is not None and isinstance(count, int) and count < self.least
        wanted = f"at least {self.least}" if few else f"at most {self.most}"
        there = "There is 1 row" if count == 1 else f"There are {count} rows"
        return f"{there} here; {wanted} must be."


@dataclass(frozen=True)
class ValuesMessage:
    """Rows hold values that an assert does not allow."""

    wrong: str
    """What the rows have."""
    lists_values: bool

    def __call__(self, count: int, found: Sequence[Row]) -> str:
        """From rows of values, how often each occurs, and how many rows there are in all."""
        total = found[0][-1]
        sentence = f"1 row has {self.wrong}" if total == 1 else f"{total} rows have {self.wrong}"
        if not self.lists_values:
            return f"{sentence}."
        values = "; ".join(_value(row) for row in found)
        return f"{sentence}: {values}{'; …' if count > len(found) else '.'}"


@dataclass(frozen=True)
class CastMessage:
    """A column holds values that a cast cannot read."""

    column: str
    noun: str
    """What each value should be."""

    def __call__(self, count: int, found: Sequence[Row]) -> str:
        """From rows of a value and its number of rows."""
        cells = [f"{shown(cell)} ({n} row{'s' if n != 1 else ''})" for cell, n in found]
        several = f"{count} different values that are" if count > 1 else "a value that is"
        return (
            f"'{self.column}' holds {several} no {self.noun}: {listed(cells, count)}. Mend them in "
            "an earlier step, or let what does not fit become empty (on_error)."
        )


def _value(row: Row) -> str:
    *cells, times, _ = row
    text = ", ".join(shown(cell) for cell in cells)
    if len(cells) > 1:
        text = f"({text})"
    return text if times == 1 else f"{text} ({times} times)"
