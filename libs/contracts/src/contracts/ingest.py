"""What ingest owns: uploads, sources and their syncs."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from contracts.drift import SchemaChange
from contracts.message import Command, Done, Event, Part, Request, Secret
from contracts.outside import LandingTable
from contracts.problem import Problem
from contracts.readiness import Readiness
from contracts.shares import OUTSIDE_READS, Slots
from contracts.tables import Column, LoaderLogin, Notice, TableVersion
from contracts.text import MAX_COUNT, Address, ColumnName, Count, ShortText
from recipe.tables import ColumnType

SourceType = Literal["csv", "google_sheets", "kobo", "external"]
SchemaPolicy = Literal["accept", "hold", "fail"]
UploadMode = Literal["replace", "append", "upsert"]
SourceStatus = Literal["ready", "deleting"]
ColumnMask = Literal["hash", "redact", "partial"]
"""As the mask step of recipes: a keyed hash; stars; stars and the last four characters."""


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
    """The rule for one column, by display name; it wins over what was found.

    It holds before anything reaches the warehouse: a column that is skipped is not there, of one
    that is masked only the mask, as text.
    """

    type: ColumnType | None = None
    """Every value has to fit it."""
    format: Annotated[ShortText, Field(min_length=1, max_length=60)] | None = None
    """How its dates are written, in the words of the recipe language: `DD/MM/YYYY`."""
    mask: ColumnMask | None = None
    skip: bool = False


class SourceConfig(Part):
    """What every source may be told."""

    columns: dict[str, ColumnOption] = Field(default_factory=dict)
    on_schema_change: SchemaPolicy | None = None
    """What happens to changed columns. None: added ones are taken, other changes are held.

    Changes that follow from another config (types, header, rules) are taken: they were asked for."""
    shrink_guard: int = Field(default=50, ge=0, le=100)
    """Percent of the rows that may go from one version to the next; more is held. 100: all may."""


class CsvConfig(SourceConfig):
    """How a file is read: delimited text or a workbook; what is absent is detected."""

    upload_id: UUID
    delimiter: str | None = Field(default=None, min_length=1, max_length=4)
    quote: str | None = Field(default=None, min_length=1, max_length=1)
    escape: str | None = Field(default=None, min_length=1, max_length=1)
    """What stands before a quote inside quotes; the quote itself where it is doubled."""
    encoding: Annotated[ShortText, Field(max_length=100)] | None = None
    header_row: int | None = Field(default=None, ge=-1, le=MAX_COUNT)
    """Lines before the header; None: detected; -1: there is no header."""
    types: Literal["infer", "text"] = "infer"
    sheet: Annotated[ShortText, Field(min_length=1, max_length=100)] | None = None
    """Of a workbook, by name; None: the first visible one that holds cells."""
    mode: UploadMode = "replace"
    """What a further file does: stands for the one before, adds its rows, or also replaces rows
    of the same key."""
    key: tuple[ColumnName, ...] = ()
    """Display names of the columns that tell rows apart, for `upsert`."""


class GoogleSheetsConfig(SourceConfig):
    """Which tab of which spreadsheet is read, and as whom."""

    spreadsheet: Address
    """Its id, or its address; an address may name the tab (`#gid=`)."""
    sheet_id: Count | None = None
    sheet_name: ShortText | None = None
    """Looked at only without an id. None: the first tab that is not hidden.

    Of a kept source both are known, and a tab that is renamed is still found by its id."""
    header_row: Count | None = None
    """Rows before the header, blank ones included; None: detected."""
    types: Literal["infer", "text"] = "infer"
    credentials: Secret | None = None
    """The JSON key of a service account; None: the installation's own."""


class KoboConfig(SourceConfig):
    """Which form on which KoboToolbox server is read, and as whom."""

    server_url: Address
    form_id: Annotated[ShortText, Field(min_length=1, max_length=64)]
    api_token: Secret | None = None
    values: Literal["codes", "labels"] = "codes"
    language: ShortText | None = None
    """Of labels; None: the form's first."""
    mode: Literal["reconcile", "append"] = "reconcile"
    """`append` takes new submissions only; `reconcile` also edits and deletions."""


class ExternalConfig(SourceConfig):
    """Which table of the landing schema another system fills, and how long a run waits for it."""

    table: LandingTable
    deadline: timedelta = Field(default=timedelta(hours=1), ge=timedelta(0), le=timedelta(days=7))
    """How long a run waits for the other system's word that the table is ready."""
    on_missing: Literal["fail", "use_last"] = "fail"
    """When the word does not come in time: fail, or leave what was published before."""


Config = CsvConfig | GoogleSheetsConfig | KoboConfig | ExternalConfig

CONFIGS: dict[SourceType, type[SourceConfig]] = {
    "csv": CsvConfig,
    "google_sheets": GoogleSheetsConfig,
    "kobo": KoboConfig,
    "external": ExternalConfig,
}


class _Typed(Part):
    """A type of source with the config that it takes."""

    source_type: SourceType
    config: Config

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not isinstance(self.config, CONFIGS[self.source_type]):
            raise ValueError(  # noqa: TRY004  pydantic makes a validation error of this one only
                f"the config is not that of a source of type {self.source_type}"
            )
        return self


class SourceTable(Part):
    """A table that a source fills besides its own: a repeat of a form."""

    table_id: UUID
    name: str
    """Shown behind the source's name."""


class Source(_Typed):
    """Where data comes from, as ingest knows it; rows and columns are the catalogue's."""

    id: UUID
    name: str
    status: SourceStatus
    table_id: UUID
    other_tables: tuple[SourceTable, ...] = ()
    revision: int
    created_at: datetime
    last_synced_at: datetime | None
    last_error: str | None
    warnings: tuple[Notice, ...] = ()
    pending_changes: int = 0
    """Changes that are held until a person accepts or rejects them."""


class SourceList(Part):
    """A page of sources, by name; `next_cursor` is None on the last."""

    sources: tuple[Source, ...]
    next_cursor: str | None = None


class CreateSource(Request[Source], _Typed):
    """Read the source's columns, reserve the display name, keep the source."""

    withdrawable: ClassVar[bool] = True

    source_id: UUID
    name: str


class GetSource(Request[Source]):
    """One source of the organisation."""

    source_id: UUID


class ListSources(Request[SourceList]):
    """The organisation's sources, a page at a time."""

    limit: int = 50
    cursor: str | None = None


class UpdateSource(Request[Source]):
    """Rename a source or change how it is read; None leaves a field as it is."""

    withdrawable: ClassVar[bool] = True

    source_id: UUID
    if_revision: int | None = None
    name: str | None = None
    config: Config | None = None
    """A secret that is absent stays as it is."""


class AddUpload(Request[Source]):
    """Give a source a further file, which its mode says what to do with; twice is once."""

    withdrawable: ClassVar[bool] = True

    source_id: UUID
    upload_id: UUID


class DeleteSource(Request[Done]):
    """Delete a source nobody uses; 409 names who does."""

    source_id: UUID
    if_revision: int | None = None


class SchemaChangeList(Part):
    """A page of a source's changes, the newest first."""

    changes: tuple[SchemaChange, ...]
    next_cursor: str | None = None


class ListSchemaChanges(Request[SchemaChangeList]):
    """What changed in a source's tables since it was made: held, decided, taken."""

    source_id: UUID
    limit: int = 50
    cursor: str | None = None


class AcceptSchemaChange(Request[SchemaChange]):
    """Let a held change through at the next sync; may be repeated. 409 when it is settled."""

    source_id: UUID
    number: int


class RejectSchemaChange(Request[SchemaChange]):
    """Keep the last good data until the source says something else; may be repeated."""

    source_id: UUID
    number: int


class ColumnHistory(Part):
    """Since when the columns of a source's own table are there."""

    since: datetime
    """Of all columns that do not stand in `added`."""
    added: dict[str, datetime]
    """By display name."""


class GetColumnHistory(Request[ColumnHistory]):
    """Since when the columns of a source's own table are there."""

    source_id: UUID


class PreviewedTable(Part):
    """The first rows of one table as they would arrive."""

    name: str
    """Shown behind the source's name; empty for the source's own."""
    columns: tuple[Column, ...]
    rows: tuple[dict[str, object], ...]


class SourcePreview(Part):
    """The first rows as they would arrive, with what was detected.

    A workbook has no delimiter, quote, escape or encoding: they are empty.
    """

    columns: tuple[Column, ...]
    rows: tuple[dict[str, object], ...]
    other_tables: tuple[PreviewedTable, ...] = ()
    delimiter: str | None = None
    """This and what follows of it: of files."""
    encoding: str | None = None
    header_row: int | None = None
    warnings: tuple[Notice, ...]
    quote: str | None = None
    escape: str | None = None
    footer_rows: int = 0
    """Lines below the table that are left out."""
    compression: str | None = None
    """`gzip` or `zip`, where the file came in one."""
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    """All of a workbook that can be chosen."""


class PreviewSource(Request[SourcePreview], _Typed):
    """Read the first rows and the columns of a source; nothing is saved."""

    withdrawable: ClassVar[bool] = True

    source_id: UUID | None = None
    """A source whose secrets are used where the config has none."""
    limit: int = Field(default=50, ge=1, le=500)
    timezone: str = "UTC"
    """The organisation's, IANA."""


class Form(Part):
    """A form that may be read from a KoboToolbox server."""

    form_id: str
    name: str
    submissions: int


class Forms(Part):
    """The forms of an account, in the server's order."""

    forms: tuple[Form, ...]


class ListForms(Request[Forms]):
    """Which forms an account on a KoboToolbox server may read; nothing is saved."""

    withdrawable: ClassVar[bool] = True
    share: ClassVar[Slots] = OUTSIDE_READS

    server_url: Address
    api_token: Secret | None = None
    source_id: UUID | None = None
    """A source on the same server whose token is used where none is given."""


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


class Reject(Part):
    """A record that the last load set aside: it is not in the table."""

    file: str | None = None
    """Of several that were loaded together: its name."""
    line: int
    reason: str
    text: str
    """As it stands in the file, shortened; masked where the source's columns are, or empty then."""


class Rejects(Part):
    """The first of the records that were set aside."""

    rejects: tuple[Reject, ...]
    total: int


class StoredRejects(Rejects):
    """With the place of all of them."""

    stored_at: str | None
    """Key in the object store of a CSV file (line, reason, text); None when there are none."""


class ListRejects(Request[StoredRejects]):
    """What the last load of a source set aside."""

    source_id: UUID
    limit: int = Field(default=100, ge=1, le=500)


class Sheet(Part):
    """A tab of a spreadsheet that has cells."""

    sheet_id: int
    """Stays when the tab is renamed or moved."""
    title: str
    rows: int
    """With those that are blank, as of `columns`."""
    columns: int
    hidden: bool
    chosen: bool = False
    """Whether it is the one that the address names, or else the first that is not hidden."""


class SheetList(Part):
    """The tabs of a spreadsheet, from left to right."""

    sheets: tuple[Sheet, ...]


class ListSheets(Request[SheetList]):
    """Which tabs a spreadsheet has; nothing is saved."""

    withdrawable: ClassVar[bool] = True
    share: ClassVar[Slots] = OUTSIDE_READS

    spreadsheet: Address
    """Its id, or its address."""
    credentials: Secret | None = None
    """The JSON key of a service account; None: that of the source, or the installation's own."""
    source_id: UUID | None = None
    """A source whose key is used where none is given."""


class PlannedSource(Part):
    """What a run must know of a source before it starts."""

    source_id: UUID
    name: str
    table_id: UUID
    other_table_ids: tuple[UUID, ...] = ()
    patience: timedelta = timedelta(0)
    """For so long its sync may wait for another system before it does anything."""


class SourcesPlan(Part):
    """The sources of a run, as they stand at its admission."""

    sources: tuple[PlannedSource, ...]

    @property
    def table_ids(self) -> tuple[UUID, ...]:
        """All tables that the sources fill."""
        return tuple(
            table_id
            for source in self.sources
            for table_id in (source.table_id, *source.other_table_ids)
        )


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
    other_published: tuple[TableVersion, ...] = ()
    """The same of the source's other tables."""
    timezone: str = "UTC"
    """The organisation's, IANA."""
    force: bool = False
    repeated: bool = False
    """Asked again: say the outcome if there is one, leave the step to whoever holds it if not."""
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


SyncPhase = Literal["waiting", "reading", "writing", "loading", "counting"]


class SyncProgress(Part):
    """How far a sync has come: told live on `tick.<org>.ingest.<run>`, stored nowhere."""

    step_id: UUID
    source_id: UUID
    phase: SyncPhase
    rows: int | None = None
    """Of the phase, so far."""
    total_rows: int | None = None
    bytes: int | None = None
    total_bytes: int | None = None


class UploadAdded(Event):
    """A source has a new file: instead of the one before, or besides. It has not been loaded yet."""

    source_id: UUID
    upload_id: UUID


class SourceSynced(Event):
    """A version was written, or (`unchanged`) the published one is still the truth."""

    run_id: UUID
    step_id: UUID
    lease: int
    tables: tuple[TableVersion, ...]
    unchanged: bool
    reason: str | None = None
    """Why the published version stays, when that is not for want of news."""
    warnings: tuple[Notice, ...] = ()


class SourceSyncFailed(Event):
    """The source could not be loaded; the problem says what a person can do."""

    run_id: UUID
    step_id: UUID
    lease: int
    problem: Problem


class GetReadiness(Request[Readiness]):
    """Whether this service is ready: what its own `/readyz` answers."""
