"""The warehouse's words that more than one service speaks: columns, versions, logins, warnings."""

from uuid import UUID

from contracts.message import Part, Secret
from recipe.tables import Column

__all__ = ["Column", "LoaderLogin", "Notice", "TableVersion"]


class TableVersion(Part):
    """One immutable version of a table of the warehouse, as its writer counted it."""

    table_id: UUID
    version_id: UUID
    relation: str
    """Name of the table in the organisation's data schema, `v_<26 characters>`."""
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    """Size on disk, TOAST included."""
    fingerprint: str
    """Equal fingerprints mean: nothing changed between two versions."""
    nullable: tuple[str, ...] | None = None
    """Display names of the columns that have empty cells; None: not known."""


class LoaderLogin(Part):
    """How another system logs in to fill a source's table; the password is never to be had again."""

    host: str
    port: int
    database: str
    username: str
    password: Secret
    schema_name: str
    """The only schema where the login may make tables; it is its `search_path`, too."""


class Notice(Part):
    """Something a person should know that stopped nothing."""

    code: str
    message: str
