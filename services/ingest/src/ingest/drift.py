"""What is different between two versions of a table, and what follows from it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from uuid import UUID

from contracts.drift import (
    ChangeDetail,
    ChangeKind,
    ChangeStatus,
    RenamedColumn,
    RetypedColumn,
    SchemaChange,
)
from contracts.ingest import SchemaPolicy
from contracts.tables import Column
from ingest.domain import listed
from recipe.tables import folded

ALIKE = 0.6
"""From here on (0 to 1) two names are so alike that one may have become the other."""

_SHOWN = 5
"""Columns that a sentence lists."""


@dataclass(frozen=True)
class Finding:
    """One thing that is different in the new version of a table."""

    table_id: UUID
    table_name: str
    """Empty for the source's own."""
    kind: ChangeKind
    detail: ChangeDetail
    was_empty: bool = False
    """The published version has no rows, so that the types of its columns are nobody's word."""


def compare(old: Sequence[Column], new: Sequence[Column]) -> ChangeDetail:
    """What makes `new` of `old`, columns being the same by display name; order is no difference."""
    before = {column.name: column for column in old}
    after = {column.name: column for column in new}
    removed = tuple(column for column in old if column.name not in after)
    added = tuple(column for column in new if column.name not in before)
    return ChangeDetail(
        added=added,
        removed=removed,
        retyped=tuple(
            RetypedColumn(name=name, old=column.type, new=after[name].type)
            for name, column in before.items()
            if name in after and after[name].type != column.type
        ),
        renames=tuple(_renames(old, new, removed, added)),
    )


def is_shrunken(old: int, new: int, percent: int) -> bool:
    """Whether more than `percent` of `old` rows are gone; never for 100."""
    return percent < 100 and (old - new) * 100 > old * percent


def is_same(change: SchemaChange, finding: Finding, percent: int) -> bool:
    """Whether a finding is the change that is known, and what was said to that holds for it too.

    Of a table that shrank, a word on N rows holds for what is not shrunken, measured by N: that of
    acceptance for all that is more, that of rejection for what is not much more.
    """
    if (change.table_id, change.kind) != (finding.table_id, finding.kind):
        return False
    if change.kind == "drift":
        return _drift(change) == _drift(finding.detail)
    known, new = change.new_rows or 0, finding.detail.new_rows or 0
    if change.status == "accepted":
        return not is_shrunken(known, new, percent)
    if change.status == "rejected":
        return not is_shrunken(known, new, percent) and not is_shrunken(new, known, percent)
    return True


def status(
    finding: Finding, before: ChangeStatus | None, policy: SchemaPolicy | None, *, is_asked: bool
) -> ChangeStatus:
    """What becomes of a finding that so far was `before`.

    `is_asked`: the config was changed, so that other columns are what a person wants.
    """
    if before == "accepted":
        return "accepted"
    if finding.kind == "drift":
        is_taken = policy is None and _is_harmless(finding)
        if is_asked or is_taken or policy == "accept":
            return "taken"
    return "rejected" if before == "rejected" else "pending"


def lost(detail: ChangeDetail) -> tuple[str, ...]:
    """Columns on which one could rely and cannot any more."""
    return tuple(column.name for column in (*detail.removed, *detail.retyped))


def described(detail: ChangeDetail, table_name: str) -> str:
    """The change in words, without a full stop, with who uses what is lost."""
    users = [f"the transformation '{user.name}'" for user in detail.used_by]
    users += [f"the pipeline '{name}'" for name in detail.pipelines]
    place = f"in '{table_name}' " if table_name else ""
    used = f", used by {listed(users)}" if users else ""
    return f"{place}{', '.join(_parts(detail))}{used}"


def summary(changes: Sequence[SchemaChange]) -> str:
    """Changes that are held in words, and what a person can do about them."""
    said = "; ".join(described(change, change.table_name) for change in changes)
    wanted = [change.number for change in changes if change.status == "pending"]
    refused = [change.number for change in changes if change.status == "rejected"]
    ends = [f"accept or reject {_numbered(wanted)}"] if wanted else []
    ends += [f"{_numbered(refused)} {_verb(refused)} rejected"] if refused else []
    return f"{said}: {', '.join(ends)}"


def _is_harmless(finding: Finding) -> bool:
    """Whether a change takes nothing from anybody."""
    detail = finding.detail
    if detail.removed:
        return False
    breaks = any(user.error for user in detail.used_by)
    return not detail.retyped or (finding.was_empty and not breaks)


def _drift(detail: ChangeDetail) -> tuple[object, ...]:
    """Equal for equal changes, whatever the order of the columns."""
    return (
        frozenset((column.name, column.type) for column in detail.added),
        frozenset((column.name, column.type) for column in detail.removed),
        frozenset(detail.retyped),
    )


def _renames(
    old: Sequence[Column],
    new: Sequence[Column],
    removed: Sequence[Column],
    added: Sequence[Column],
) -> Iterator[RenamedColumn]:
    """Pairs of one type with names alike, or between the same neighbours; the likeliest first."""
    between_old, between_new = _neighbours(old), _neighbours(new)
    pairs: list[tuple[float, int, int]] = []
    for at, gone in enumerate(removed):
        for place, fresh in enumerate(added):
            if gone.type != fresh.type:
                continue
            alike = SequenceMatcher(None, folded(gone.name), folded(fresh.name)).ratio()
            if between_old[gone.name] == between_new[fresh.name]:
                alike = max(alike, ALIKE)
            if alike >= ALIKE:
                pairs.append((-alike, at, place))
    seen: set[tuple[str, int]] = set()
    for _, at, place in sorted(pairs):
        if not seen & {("old", at), ("new", place)}:
            seen |= {("old", at), ("new", place)}
            yield RenamedColumn(old=removed[at].name, new=added[place].name)


def _neighbours(columns: Sequence[Column]) -> dict[str, tuple[str | None, str | None]]:
    """For each column, the names of those before and after it."""
    names = [None, *(column.name for column in columns), None]
    return {column.name: (names[index], names[index + 2]) for index, column in enumerate(columns)}


def _parts(detail: ChangeDetail) -> Iterator[str]:
    renamed = {pair.old: pair.new for pair in detail.renames}
    if detail.removed:
        names = [
            f"{column.name}, perhaps renamed to {renamed[column.name]}"
            if column.name in renamed
            else column.name
            for column in detail.removed
        ]
        yield f"{_columns(names, 'is gone', 'are gone')}"
    if detail.retyped:
        names = [f"{one.name}: {one.old} before, {one.new} now" for one in detail.retyped]
        yield f"{_columns(names, 'has another type', 'have other types')}"
    if detail.added:
        yield _columns([column.name for column in detail.added], "is new", "are new")
    if detail.old_rows is not None:
        left = detail.new_rows or 0
        yield f"{left:,} of {detail.old_rows:,} rows {'is' if left == 1 else 'are'} left"


def _columns(names: Sequence[str], one: str, many: str) -> str:
    said = f"1 column {one}" if len(names) == 1 else f"{len(names):,} columns {many}"
    between = "; " if any(", " in name for name in names) else ", "
    shown = [*names[:_SHOWN], "…"] if len(names) > _SHOWN else names
    return f"{said} ({between.join(shown)})"


def _numbered(numbers: Iterable[int]) -> str:
    told = [str(number) for number in numbers]
    return f"change {told[0]}" if len(told) == 1 else f"changes {listed(told)}"


def _verb(numbers: Sequence[int]) -> str:
    return "was" if len(numbers) == 1 else "were"
