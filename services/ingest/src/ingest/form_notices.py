"""What a person is told of a form that was read: what came and went, and what was noticed."""

from collections.abc import Iterable, Mapping

from contracts.tables import Notice
from ingest.connectors.kobo.changes import Counts
from ingest.jobs import FormResult


def told(names: Mapping[str, str], read: FormResult) -> tuple[Notice, ...]:
    """What was noticed in each table, that of a repeat with its name; nothing twice."""
    said: dict[Notice, Notice] = {}
    for path, one in read.tables.items():
        for notice in one.warnings:
            message = f"{names[path]}: {notice.message}" if path else notice.message
            said.setdefault(notice, notice.model_copy(update={"message": message}))
    return tuple(said.values())


def changed(changes: Counts) -> tuple[Notice, ...]:
    """What came, changed and went, if anything did."""
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (changes.inserts, "new"),
            (changes.updates, "edited"),
            (changes.deletes, "deleted"),
        )
        if count
    ]
    if not parts:
        return ()
    first, *rest = parts
    one = (changes.inserts or changes.updates or changes.deletes) == 1
    listed = ", ".join([f"{first} submission{'' if one else 's'}", *rest])
    return (Notice(code="submissions_changed", message=f"{listed}."),)


def gone(names: Iterable[str]) -> tuple[Notice, ...]:
    """Which repeats the form has no more."""
    listed = ", ".join(f"'{name}'" for name in names)
    if not listed:
        return ()
    message = f"The form has no {listed} any more: what was read of it last stays."
    return (Notice(code="repeat_gone", message=message),)
