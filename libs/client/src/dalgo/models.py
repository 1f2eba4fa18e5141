"""What only the HTTP interface has: everything else is a model of `contracts`."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from contracts.auth import Organization, Role, User
from contracts.ingest import SourceTable
from contracts.message import Part
from contracts.tables import Column, Notice
from contracts.transform import TracedTable


class SignedIn(Part):
    """The answer to a sign-up, login or refresh; the refresh token travels in a cookie."""

    access_token: str
    expires_in: int
    """Seconds until the access token expires."""
    user: User
    organization: Organization
    role: Role


class Source(Part):
    """A source as the gateway composes it: ingest's word and the warehouse's."""

    id: UUID
    name: str
    source_type: str
    config: dict[str, object]
    status: str
    warehouse_table_name: str
    """Live name of its table, `source_<id>`."""
    column_count: int | None = None
    row_count: int | None = None
    """None until the first sync was published."""
    other_tables: tuple[SourceTable, ...] = ()
    """Tables that it fills besides: repeats of a form."""
    columns: tuple[Column, ...] = ()
    warnings: tuple[Notice, ...] = ()
    last_synced_at: datetime | None = None
    last_error: str | None = None
    pending_changes: int = 0
    """Changes that are held until somebody accepts or rejects them."""
    created_at: datetime


class SourceColumn(Column):
    """A column of a source's own table."""

    nullable: bool | None = None
    """Whether there are empty cells in it; None until it was published."""
    first_seen: datetime


class Loader(Part):
    """How another system logs in to fill a source's table; the password is told this once."""

    host: str
    port: int
    database: str
    username: str
    password: str = Field(repr=False)
    schema_name: str
    """The only schema where the login may make tables."""
    table: str


class WarehouseLineage(Part):
    """All tables of the organisation by display name, and what each column is made of."""

    tables: tuple[TracedTable, ...]
