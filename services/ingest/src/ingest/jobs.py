"""What a warm subprocess is asked and answers: one JSON line each way. Light to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from contracts.ingest import Form, SyncPhase
from ingest.connectors import Found, InferredColumn, Notice
from ingest.connectors.csv import Inspection, Preview
from ingest.connectors.kobo.changes import Counts
from ingest.connectors.kobo.shape import KoboOptions
from ingest.dialect import CsvOptions

ORDER = "_dlt_order"
"""The column that numbers the rows of a table that was loaded `ordered`."""
Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class Progress(Found):
    """How far a job has come; totals are told where they are known."""

    phase: SyncPhase
    rows: int | None = None
    total_rows: int | None = None
    bytes: int | None = None
    total_bytes: int | None = None


class Tell(Protocol):
    """Says how far a job has come."""

    def __call__(
        self,
        phase: SyncPhase,
        *,
        rows: int | None = None,
        total_rows: int | None = None,
        bytes: int | None = None,
        total_bytes: int | None = None,
    ) -> None:
        """As `Progress`."""
        ...


@dataclass(frozen=True)
class Limits:
    """How long a job may take; what goes beyond is killed."""

    computing: int
    """Seconds of processor time: the kernel's last word on a file made to cost much."""
    waiting: float | None
    """Seconds in all; None where nobody waits for the answer."""


FILE_LOOK = Limits(computing=90, waiting=110.0)
"""The gateway waits for 120 seconds."""
FORM_LOOK = Limits(computing=20, waiting=40.0)
"""The calls have 20 seconds (`kobo.http.HURRIED`); the start of a process comes on top."""
LOAD = Limits(computing=3 * 3600, waiting=None)
"""A run's step has a deadline of its own."""


class Masking(BaseModel):
    """The organisation's key of masks, as a session of the database would hold it."""

    model_config = ConfigDict(frozen=True)

    limits: ClassVar[Limits] = LOAD
    mask_key: SecretStr | None = None
    """Needed where a column is hashed."""

    @field_serializer("mask_key")
    def _reveal_mask_key(self, key: SecretStr | None) -> str | None:
        return None if key is None else key.get_secret_value()


class _Job(Masking):
    path: Path
    """A file on this machine; it is only read."""
    options: CsvOptions = CsvOptions()


class InspectJob(_Job):
    """Say what a file holds."""

    limits: ClassVar[Limits] = FILE_LOOK
    kind: Literal["inspect"] = "inspect"


class SampleJob(_Job):
    """Say what a file holds, and show its first rows."""

    limits: ClassVar[Limits] = FILE_LOOK
    kind: Literal["sample"] = "sample"
    limit: int = Field(default=50, ge=1, le=500)


class Schema(BaseModel):
    """An organisation's data schema, and the login by which it is reached."""

    model_config = ConfigDict(frozen=True)

    database_url: SecretStr
    """The service's login; it may take `role`."""
    role: Identifier
    schema_name: Identifier

    @field_serializer("database_url")
    def _reveal_url(self, url: SecretStr) -> str:
        # The one place where it is written: the worker's socket.
        return url.get_secret_value()


class Destination(Schema):
    """A table that is to be made there."""

    relation: Identifier
    ordered: bool = False
    """Number the rows by their places in the file: where they lie in a table says nothing."""


class LoadJob(_Job, Destination):
    """Load a file into a new table of an organisation's data schema, as the organisation."""

    kind: Literal["load"] = "load"
    known: tuple[str, ...] | None = None
    """Display names of the columns that readers see now; None before the first load."""
    sha256: str | None = None
    """Of the file, where it is known: by it, what an earlier look found is found again."""
    looked: Inspection | None = None
    """What an earlier look found; holds for the same bytes only."""
    rejects: Path | None = None
    """Where to put the records that are set aside, with their lines and reasons, if any are."""


class _Account(BaseModel):
    """One account on a KoboToolbox server."""

    model_config = ConfigDict(frozen=True)

    server_url: str
    api_token: SecretStr
    allowed_origins: tuple[str, ...] = ()
    """Exempt from the rule of public addresses."""

    @field_serializer("api_token")
    def _reveal_token(self, token: SecretStr) -> str:
        return token.get_secret_value()


class ListFormsJob(_Account):
    """Say which forms an account may read."""

    limits: ClassVar[Limits] = FORM_LOOK
    kind: Literal["list_forms"] = "list_forms"


class SampleFormJob(_Account, Masking):
    """Say what a form asks; with a `limit`, show its first rows too."""

    limits: ClassVar[Limits] = FORM_LOOK
    kind: Literal["sample_form"] = "sample_form"
    options: KoboOptions
    limit: int = Field(default=0, ge=0, le=500)


class FormJob(_Account, Masking, Schema):
    """Read a KoboToolbox form into a new table for its submissions and for each repeat."""

    kind: Literal["form"] = "form"
    options: KoboOptions
    published: str | None = None
    """The fingerprint of what readers see: a reading that gives it is not loaded."""
    known: tuple[str, ...] | None = None
    """As of a file, over all of the form's tables."""
    after: int | None = None
    """Take submissions with an `_id` above this only."""
    stamps_before: Path | None = None
    """Those of what readers see: what came, changed and went is counted."""
    stamps: Path | None = None
    """Where to put those of this reading."""


Job = LoadJob | FormJob | InspectJob | SampleJob | SampleFormJob | ListFormsJob


class LoadResult(Found):
    """A version that was written and counted in SQL."""

    relation: str
    columns: tuple[InferredColumn, ...]
    rows: int
    bytes: int
    """Size on disk, TOAST included."""
    fingerprint: str
    warnings: tuple[Notice, ...]


class FormResult(Found):
    """The versions of a form's tables by path; none when nothing has changed."""

    tables: dict[str, LoadResult]
    fingerprint: str
    submissions: int
    changes: Counts | None = None
    """Where it could be known."""


class FormTable(Found):
    """A table of a form as it would arrive."""

    path: str
    name: str
    columns: tuple[InferredColumn, ...]
    rows: tuple[dict[str, Any], ...] = ()


class FormSample(Found):
    """What a form asks: its submissions' table first."""

    tables: tuple[FormTable, ...]
    warnings: tuple[Notice, ...] = ()


class Failure(Found):
    """Why a job failed; transient ones are worth another try."""

    code: str
    message: str
    transient: bool


class Line(BaseModel):
    """One line that a worker says; exactly one field is set."""

    progress: Progress | None = None
    inspected: Inspection | None = None
    sampled: Preview | None = None
    loaded: LoadResult | None = None
    places: dict[str, str] | None = None
    """Tables of a form that are to be made, names by path: the answer is a line of `Places`."""
    form: FormResult | None = None
    form_sampled: FormSample | None = None
    forms: tuple[Form, ...] | None = None
    error: Failure | None = None


class Order(BaseModel):
    """The first line that a worker is told, and nearly always the only one."""

    job: Annotated[Job, Field(discriminator="kind")]
    computing: int
    """Seconds of processor time that it may take."""


class Places(BaseModel):
    """Where the tables of a form go: relations by path."""

    relations: dict[str, Identifier]
