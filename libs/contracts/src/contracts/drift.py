"""What may change in a source's tables from one version to the next, and what people said to it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.message import Part
from contracts.tables import Column
from recipe.tables import ColumnType

ChangeKind = Literal["drift", "shrinkage"]
ChangeStatus = Literal["pending", "accepted", "rejected", "taken", "superseded"]
"""`taken`: let through by the source's policy; `superseded`: the source says something else now."""


class RetypedColumn(Part):
    """A column whose type is another one."""

    name: str
    old: ColumnType
    new: ColumnType


class RenamedColumn(Part):
    """A guess: the column that is gone may be the one that is new."""

    old: str
    new: str


class ColumnUser(Part):
    """A recipe that uses columns of a table."""

    transformation_id: UUID
    name: str
    columns: tuple[str, ...]
    """Display names of those that it uses."""
    error: str | None = None
    """What does not fit any more if the table gets the columns that were asked about."""


class ChangeDetail(Part):
    """What is different in a new version, compared with the published one."""

    added: tuple[Column, ...] = ()
    removed: tuple[Column, ...] = ()
    retyped: tuple[RetypedColumn, ...] = ()
    renames: tuple[RenamedColumn, ...] = ()
    """Proposals: the columns stand in `removed` and `added` too."""
    old_rows: int | None = None
    """This and `new_rows`: of a table that shrank."""
    new_rows: int | None = None
    used_by: tuple[ColumnUser, ...] = ()
    """Recipes that use the removed and retyped columns."""
    pipelines: tuple[str, ...] = ()
    """Names of pipelines that run the source, or one of those recipes."""


class SchemaChange(ChangeDetail):
    """A change of a source, and what became of it."""

    source_id: UUID
    number: int
    """Counts from 1 for each source."""
    table_id: UUID
    table_name: str
    """Shown behind the source's name; empty for the source's own."""
    kind: ChangeKind
    status: ChangeStatus
    is_open: bool
    """The source still says so, and it is not published."""
    run_id: UUID
    """The last run that saw it."""
    first_seen: datetime
    last_seen: datetime
    decided_by: str | None = None
    """The actor who accepted or rejected it: a user's id, or the key's."""
    decided_at: datetime | None = None
