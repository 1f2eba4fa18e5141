"""What came, changed or went between two readings of a form, by `_id` and hash.

Edits never move `_submission_time` and deletions leave no trace, so only the whole form can tell.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ingest.connectors.kobo.rows import Stamp

Kind = Literal["insert", "update", "delete"]
Change = tuple[Kind, int]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Counts:
    """How many submissions there were of each kind."""

    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    unchanged: int = 0

    @property
    def nothing(self) -> bool:
        """Both readings say the same."""
        return not (self.inserts or self.updates or self.deletes)


def difference(old: Iterable[Stamp], new: Iterable[Stamp]) -> Iterator[Change]:
    """The changes that lead from `old` to `new`, by rising `_id`.

    Both must rise strictly by `_id`, as a form is read; memory holds one of each. Raises
    ValueError where they do not.
    """
    before, after = _rising(old), _rising(new)
    was, now = next(before, None), next(after, None)
    while was is not None or now is not None:
        if now is None or (was is not None and was[0] < now[0]):
            assert was is not None
            yield "delete", was[0]
            was = next(before, None)
        elif was is None or now[0] < was[0]:
            yield "insert", now[0]
            now = next(after, None)
        else:
            if was[1] != now[1]:
                yield "update", now[0]
            was, now = next(before, None), next(after, None)


def counts(changes: Iterable[Change], read: int) -> Counts:
    """The changes counted; `read` is how many submissions the new reading has."""
    found = {"insert": 0, "update": 0, "delete": 0}
    for kind, _ in changes:
        found[kind] += 1
    kept = read - found["insert"] - found["update"]
    return Counts(found["insert"], found["update"], found["delete"], kept)


def applied(
    old: Iterable[tuple[int, Row]], changes: Iterable[Change], new: Callable[[int], Row]
) -> Iterator[tuple[int, Row]]:
    """The old submissions with the changes made, by rising `_id`; `new` gives changed ones."""
    rest = iter(old)
    row = next(rest, None)
    for kind, number in changes:
        while row is not None and row[0] < number:
            yield row
            row = next(rest, None)
        if kind != "insert":
            if row is None or row[0] != number:
                raise ValueError(f"{kind} of submission {number}, which is not there")
            row = next(rest, None)
        if kind != "delete":
            yield number, new(number)
    while row is not None:
        yield row
        row = next(rest, None)


def stamps(path: Path) -> Iterator[Stamp]:
    """The stamps that a `Spool` wrote."""
    with path.open("r", encoding="ascii") as file:
        for line in file:
            number, _, digest = line.rstrip("\n").partition(" ")
            yield int(number), digest


def _rising(all_of_them: Iterable[Stamp]) -> Iterator[Stamp]:
    last: int | None = None
    for stamp in all_of_them:
        if last is not None and stamp[0] <= last:
            raise ValueError(f"submission {stamp[0]} comes after {last}")
        last = stamp[0]
        yield stamp
