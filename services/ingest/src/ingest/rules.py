"""What a person said of single columns: whether it can hold, and that it meets a column at all.

A connector asks `require_sound` first, `missing` once it knows its columns, and `rule` for each of
them. Rules that keep something from the warehouse (masks, skipped columns) are called guards.
"""

from collections.abc import Collection, Mapping, Sequence

from contracts.ingest import ColumnOption
from ingest.connectors import BadSource, Notice
from recipe.date_format import date_format
from recipe.errors import Misfit, nearest, shortened
from recipe.tables import TIMES

Columns = Mapping[str, ColumnOption]
"""Rules by display name."""

SHOWN = 20
"""Names that a message lists."""


def rule(columns: Columns, name: str) -> ColumnOption:
    """What holds for a column: of one that is skipped or masked, nothing else."""
    said = columns.get(name) or ColumnOption()
    if said.skip:
        return ColumnOption(skip=True)
    if said.mask is not None:
        return ColumnOption(mask=said.mask)
    if said.format is not None and said.type is None:
        return said.model_copy(update={"type": _kind(said.format)})
    return said


def guarded(columns: Columns) -> bool:
    """Whether some of a source's columns may not be seen as they are."""
    return any(said.skip or said.mask for said in columns.values())


def hashed(columns: Columns) -> bool:
    """Whether some of a source's columns are masked with the organisation's key."""
    return any(rule(columns, name).mask == "hash" for name in columns)


def require_sound(columns: Columns) -> None:
    """Raise BadSource `bad_rule` for a rule that contradicts itself."""
    for name, said in columns.items():
        if said.skip:
            continue
        shown = repr(shortened(name))
        if said.mask is not None and (said.format or said.type not in {None, "text"}):
            raise BadSource(
                "bad_rule",
                f"The column {shown} is masked, and a mask is text: leave out its type and format.",
            )
        if said.format is None:
            continue
        if said.type is not None and said.type not in TIMES:
            raise BadSource(
                "bad_rule",
                f"The column {shown} has a format of dates and the type {said.type}: choose date "
                "or timestamp, or leave out the format.",
            )
        try:
            date_format(said.format)
        except Misfit as misfit:
            told = " ".join(finding.message for finding in misfit.findings)
            raise BadSource("bad_rule", f"The format of the column {shown}: {told}") from None


def missing(
    columns: Columns, names: Sequence[str], known: Collection[str] | None = None
) -> list[Notice]:
    """Warnings for rules whose column the source no longer has.

    `known` are the columns that readers see already; None: nothing was loaded yet, and a rule
    without a column is a mistake. So is one of a guard, ever, where another column is new: that may
    be the same under another name. Raises BadSource `unknown_column`, `guard_lost`.
    """
    absent = [name for name in columns if name not in names]
    if not absent:
        return []
    if known is None:
        raise BadSource("unknown_column", _unknown(absent[0], names))
    lost = [name for name in absent if columns[name].skip or columns[name].mask]
    new = [name for name in names if name not in known and name not in columns]
    if lost and new:
        raise BadSource(
            "guard_lost",
            f"{_listed(lost)} should be masked or left out and is not in the source any more, while "
            f"{_listed(new)} is new there. Nothing was loaded. If it was renamed, change the name "
            "in the rule; if it was removed, delete the rule.",
        )
    plural = len(absent) > 1
    return [
        Notice(
            code="rule_without_column",
            message=f"{_listed(absent)} {'have rules and are' if plural else 'has a rule and is'} "
            "not in the source any more.",
        )
    ]


def _unknown(name: str, names: Sequence[str]) -> str:
    near = nearest(name, names)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"There is a rule for the column {shortened(name)!r}, which the source does not have."
        f"{guess} Its columns: {_listed(names)}."
    )


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > SHOWN else ""
    return ", ".join(repr(shortened(name)) for name in names[:SHOWN]) + more


def _kind(format: str) -> str:
    return "timestamp" if date_format(format).has_time else "date"
