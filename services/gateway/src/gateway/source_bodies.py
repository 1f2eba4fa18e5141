"""What people send about sources: one body for each type, and no field that we do not know."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Discriminator, Field, Tag

from contracts.ingest import ColumnOption, CsvConfig, ExternalConfig, GoogleSheetsConfig, KoboConfig
from contracts.text import Name
from gateway.conventions import Body

Rows = Annotated[int, Field(ge=1, le=500)]


class ColumnBody(ColumnOption):
    """A user's word on one column."""

    model_config = ConfigDict(extra="forbid")


Columns = dict[str, ColumnBody]


class CsvConfigBody(CsvConfig):
    """How a delimited text file is read; what is absent is detected."""

    model_config = ConfigDict(extra="forbid")

    columns: Columns = Field(default_factory=dict)  # pyright: ignore[reportIncompatibleVariableOverride]


class GoogleSheetsConfigBody(GoogleSheetsConfig):
    """Which tab of which spreadsheet is read, and as whom."""

    model_config = ConfigDict(extra="forbid")

    columns: Columns = Field(default_factory=dict)  # pyright: ignore[reportIncompatibleVariableOverride]


class KoboConfigBody(KoboConfig):
    """Which form on which KoboToolbox server is read, and as whom."""

    model_config = ConfigDict(extra="forbid")

    columns: Columns = Field(default_factory=dict)  # pyright: ignore[reportIncompatibleVariableOverride]


class ExternalConfigBody(ExternalConfig):
    """Which table another system fills, and how long a run waits for it."""

    model_config = ConfigDict(extra="forbid")

    columns: Columns = Field(default_factory=dict)  # pyright: ignore[reportIncompatibleVariableOverride]


class _Csv(Body):
    type: Literal["csv"]
    config: CsvConfigBody


class _GoogleSheets(Body):
    type: Literal["google_sheets"]
    config: GoogleSheetsConfigBody


class _Kobo(Body):
    type: Literal["kobo"]
    config: KoboConfigBody


class _External(Body):
    type: Literal["external"]
    config: ExternalConfigBody


class _Named(Body):
    name: Name


class CsvSource(_Named, _Csv):
    """A source made of an uploaded file."""


class GoogleSheetsSource(_Named, _GoogleSheets):
    """A source that is a tab of a spreadsheet."""


class KoboSource(_Named, _Kobo):
    """A source that is a form with its repeats."""


class ExternalSource(_Named, _External):
    """A source that another system fills."""


SourceBody = Annotated[
    CsvSource | GoogleSheetsSource | KoboSource | ExternalSource, Field(discriminator="type")
]
"""A source to be kept."""


class _Unsaved(Body):
    source_id: UUID | None = None
    """A source whose secrets are used where the config has none."""
    limit: Rows = 50


class CsvPreview(_Unsaved, _Csv):
    """A file whose first rows are wanted."""


class GoogleSheetsPreview(_Unsaved, _GoogleSheets):
    """A tab whose first rows are wanted."""


class KoboPreview(_Unsaved, _Kobo):
    """A form whose first rows are wanted."""


class ExternalPreview(_Unsaved, _External):
    """A table of another system's whose first rows are wanted."""


PreviewBody = Annotated[
    CsvPreview | GoogleSheetsPreview | KoboPreview | ExternalPreview, Field(discriminator="type")
]
"""A source that is not saved."""

_TELLING = {
    "spreadsheet": "google_sheets",
    "form_id": "kobo",
    "server_url": "kobo",
    "table": "external",
}
"""Fields that only one type of source has."""


def _type(config: Any) -> str:
    # Anything may stand here: what is no config at all is refused as one of the default type.
    said = config if isinstance(config, dict) else getattr(config, "model_fields_set", ())
    return next((name for field, name in _TELLING.items() if field in said), "csv")


ConfigBody = Annotated[
    Annotated[CsvConfigBody, Tag("csv")]
    | Annotated[GoogleSheetsConfigBody, Tag("google_sheets")]
    | Annotated[KoboConfigBody, Tag("kobo")]
    | Annotated[ExternalConfigBody, Tag("external")],
    Discriminator(_type),
]


class FurtherUpload(Body):
    """A further file for a source, uploaded before."""

    upload_id: UUID


class SourceChange(Body):
    """What is to be different; an absent field stays as it is, an absent secret too."""

    name: Name | None = None
    config: ConfigBody | None = None
