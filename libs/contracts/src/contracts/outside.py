"""What other systems tell: CloudEvents that the gateway takes in and stamps with their organisation."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.message import Outside

LandingTable = Annotated[
    str,
    Field(
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Lower-case letters, digits and `_`, as PostgreSQL takes it without quotes.",
    ),
]
"""The name of a table in an organisation's landing schema."""


class SourceSynced(Outside):
    """Another system has filled a table of the landing schema, and committed."""

    table: LandingTable
    rows: int | None = Field(default=None, ge=0)
    """What must be found there; None: whatever is."""


class PipelineRun(Outside):
    """Another system wants a pipeline to run."""

    pipeline_id: UUID
