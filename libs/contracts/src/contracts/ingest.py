"""What ingest owns: uploads, sources and their syncs."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.message import Command, Done, Event, Part, Request
from contracts.outside import LandingTable
from contracts.problem import Problem
from contracts.tables import Column, LoaderLogin, Notice, TableVersion
from recipe.tables import ColumnType

SourceType = Literal["csv"]
SourceStatus = Literal["ready", "deleting"]


class Upload(Part):
    """A file that lies in the object store under `org/<id>/uploads/<upload_id>`."""

    upload_id: UUID
    filename: str
    size_bytes: int
    sha256: str


class RegisterUpload(Request[Upload]):
    """Tell the owner of uploads that the file has been stored completely."""

    upload_id: UUID
    filename: str
    size_bytes: int
    sha256: str


class ColumnOption(Part):
    """A user's word on one column, by display name; it wins over what was found."""

    type: ColumnType | None = None


class CsvConfig(Part):
    """How a delimited text file is read; what is absent is detected."""

    upload_id: UUID
    delimiter: str | None = Field(default=None, min_length=1, max_length=4)
    quote: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None
    header_row: int | None = Field(default=None, ge=-1)
    """Lines before the header; None: detected; -1: there is no header."""
    types: Literal["infer", "text"] = "infer"
    columns: dict[str, ColumnOption] = Field(default_factory=dict)


class ExternalConfig(Part):
    """Which table of the landing schema another system fills, and how long a run waits for it."""

    table: LandingTable
    deadline: timedelta = Field(default=timedelta(hours=1), ge=timedelta(0), le=timedelta(days=7))
    """How long a run waits for the other system's word that the table is ready."""
    on_missing: Literal["fail", "use_last"] = "fail"
    """When the word does not come in time: fail, or leave what was published before."""


class Source(Part):
    """Where data comes from, as ingest knows it; rows and columns are the catalogue's."""

    id: UUID
    name: str
    source_type: SourceType
    config: CsvConfig
    status: SourceStatus
    table_id: UUID
    revision: int
    created_at: datetime
    last_synced_at: datetime | None
    last_error: str | None
    warnings: tuple[Notice, ...] = ()


class SourceList(Part):
    """A page of sources, by name; `next_cursor` is None on the last."""

    sources: tuple[Source, ...]
    next_cursor: str | None = None


class CreateSource(Request[Source]):
    """Read the upload's columns, reserve the display name, keep the source."""

    source_id: UUID
    name: str
    source_type: SourceType
    config: CsvConfig


class GetSource(Request[Source]):
    """One source of the organisation."""

    source_id: UUID


class ListSources(Request[SourceList]):
    """The organisation's sources, a page at a time."""

    limit: int = 50
    cursor: str | None = None


class UpdateSource(Request[Source]):
    """Rename a source or change how it is read; None leaves a field as it is."""

    source_id: UUID
    if_revision: int | None = None
    name: str | None = None
    config: CsvConfig | None = None


class DeleteSource(Request[Done]):
    """Delete a source nobody uses; 409 names who does."""

    source_id: UUID
    if_revision: int | None = None


class SourcePreview(Part):
    """The first rows as they would arrive, with what was detected."""

    columns: tuple[Column, ...]
    rows: tuple[dict[str, object], ...]
    delimiter: str
    encoding: str
    header_row: int
    warnings: tuple[Notice, ...]


class PreviewSource(Request[SourcePreview]):
    """Read the first rows and the columns of a file; nothing is saved."""

    source_type: SourceType
    config: CsvConfig
    limit: int = Field(default=50, ge=1, le=500)


class SourceLoader(Part):
    """How the system that fills an external source logs in, and what it fills."""

    login: LoaderLogin
    table: LandingTable


class IssueLoader(Request[SourceLoader]):
    """Make the login that fills an external source; one that is there gets a new password."""

    source_id: UUID


class RevokeLoader(Request[Done]):
    """Shut the login that fills an external source; its table and what was loaded stay."""

    source_id: UUID


class PlannedSource(Part):
    """What a run must know of a source before it starts."""

    source_id: UUID
    name: str
    table_id: UUID


class SourcesPlan(Part):
    """The sources of a run, as they stand at its admission."""

    sources: tuple[PlannedSource, ...]


class PlanSources(Request[SourcesPlan]):
    """Pin the sources of a run; one that is gone is a problem naming it."""

    source_ids: tuple[UUID, ...]


class SyncSource(Command):
    """Load a source into a new version; nothing becomes visible."""

    run_id: UUID
    step_id: UUID
    source_id: UUID
    published: TableVersion | None
    """What readers see now; a sync that would give the same is skipped."""
    force: bool = False


class SourceSynced(Event):
    """A version was written, or (`unchanged`) the published one is still the truth."""

    run_id: UUID
    step_id: UUID
    lease: int
    tables: tuple[TableVersion, ...]
    unchanged: bool
    warnings: tuple[Notice, ...] = ()


class SourceSyncFailed(Event):
    """The source could not be loaded; the problem says what a person can do."""

    run_id: UUID
    step_id: UUID
    lease: int
    problem: Problem
