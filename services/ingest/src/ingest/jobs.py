"""What a warm subprocess is asked and answers: one JSON line each way. Light to import."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from ingest.connectors import Found, InferredColumn, Notice
from ingest.connectors.csv import Inspection, Preview
from ingest.dialect import CsvOptions

Phase = Literal["reading", "writing", "loading", "counting"]
Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class _Job(BaseModel):
    model_config = ConfigDict(frozen=True)

    path: Path
    """A file on this machine; it is only read."""
    options: CsvOptions = CsvOptions()


class InspectJob(_Job):
    """Say what a file holds."""

    kind: Literal["inspect"] = "inspect"


class SampleJob(_Job):
    """Say what a file holds, and show its first rows."""

    kind: Literal["sample"] = "sample"
    limit: int = Field(default=50, ge=1, le=500)


class LoadJob(_Job):
    """Load a file into a new table of an organisation's data schema, as the organisation."""

    kind: Literal["load"] = "load"
    database_url: SecretStr
    """The service's login; it may take `role`."""
    role: Identifier
    schema_name: Identifier
    relation: Identifier
    rejects: Path | None = None
    """Where to put the records that are set aside, with their lines and reasons, if any are."""

    @field_serializer("database_url")
    def _reveal(self, url: SecretStr) -> str:
        # The one place where it is written: the worker's standard input.
        return url.get_secret_value()


class LoadResult(Found):
    """A version that was written and counted in SQL."""

    relation: str
    columns: tuple[InferredColumn, ...]
    rows: int
    bytes: int
    """Size on disk, TOAST included."""
    fingerprint: str
    warnings: tuple[Notice, ...]


class Failure(Found):
    """Why a job failed; transient ones are worth another try."""

    code: str
    message: str
    transient: bool


class Line(BaseModel):
    """One line of a worker's standard output; exactly one field is set."""

    ready: bool = False
    progress: Phase | None = None
    inspected: Inspection | None = None
    sampled: Preview | None = None
    loaded: LoadResult | None = None
    error: Failure | None = None


class Order(BaseModel):
    """The one line of a worker's standard input."""

    job: Annotated[LoadJob | InspectJob | SampleJob, Field(discriminator="kind")]
