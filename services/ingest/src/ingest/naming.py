"""Headers as given and as the database calls them: blank and repeated ones are repaired."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ingest.connectors import Notice
from recipe.naming import physical_names

SHOWN = 5
"""Repaired names that a warning lists."""


@dataclass(frozen=True)
class Names:
    """The names of all columns, with what was repaired (column from 0, code)."""

    display: tuple[str, ...]
    physical: tuple[str, ...]
    repairs: tuple[tuple[int, str], ...]
    last_named: int
    """Columns from here on had no header of their own."""

    def warnings(self, kept: Collection[int]) -> list[Notice]:
        """One for each kind of repair among the columns that are kept."""
        told = {
            "blank_header": "Columns without a name got one",
            "duplicate_header": "Names that occur more than once were made different",
        }
        warnings: list[Notice] = []
        for code, text in told.items():
            repaired = [
                f"column {index + 1} is {self.display[index]!r}"
                for index, repair in self.repairs
                if repair == code and index in kept
            ]
            if repaired:
                more = ", …" if len(repaired) > SHOWN else ""
                message = f"{text}: {', '.join(repaired[:SHOWN])}{more}."
                warnings.append(Notice(code=code, message=message))
        return warnings


def names(header: Sequence[str], width: int) -> Names:
    """Name `width` columns: display names exactly as given where they are filled and unique."""
    given = [*header, *("" for _ in range(width - len(header)))]
    taken = {name for name in given if name.strip()}
    seen: set[str] = set()
    display: list[str] = []
    repairs: list[tuple[int, str]] = []
    for index, name in enumerate(given):
        if not name.strip():
            repaired = _free(f"column_{index + 1}", taken)
            if header:
                repairs.append((index, "blank_header"))
        elif name in seen:
            repaired = _free(name, taken)
            repairs.append((index, "duplicate_header"))
        else:
            repaired = name
        taken.add(repaired)
        seen.add(name)
        display.append(repaired)
    named = [index for index, name in enumerate(given) if name.strip()]
    return Names(
        display=tuple(display),
        physical=tuple(physical_names(display)),
        repairs=tuple(repairs),
        # Without any header, no column is less meant than another.
        last_named=named[-1] + 1 if named else width,
    )


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
