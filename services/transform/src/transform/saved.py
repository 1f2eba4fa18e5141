"""Transformations as they are stored, read inside the caller's transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.database import Connection, collect, queries
from contracts.tables import Column

_queries = queries("transform")


@dataclass(frozen=True)
class Saved:
    """A transformation at its newest version, as it is stored."""

    transformation_id: UUID
    name: str
    description: str | None
    version: int
    recipe: dict[str, object]
    """Names tables by their live names."""
    reads: tuple[UUID, ...]
    output_table_name: str
    columns: tuple[Column, ...]
    digest: str
    is_deleting: bool
    """Somebody is finding out whether it may go: nothing begins with it now."""
    last_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Version:
    """One save of a transformation, as it is stored."""

    version: int
    recipe: dict[str, object]
    """Names tables by their live names."""
    table_names: dict[str, str]
    """Display names of those tables at the save, by their live names."""
    saved_by: str
    saved_at: datetime
    restored_from: int | None


async def read_saved(connection: Connection, transformation_ids: Iterable[UUID]) -> list[Saved]:
    """Transformations of the transaction's organisation at their newest versions, by name."""
    rows = await collect(
        _queries.transformations(
            connection,
            transformation_ids=list(transformation_ids),
            after_key=None,
            after_id=None,
            page=None,
        )
    )
    return [saved_of(row) for row in rows]


async def read_versions(
    connection: Connection,
    transformation_id: UUID,
    *,
    version: int | None = None,
    before_version: int | None = None,
    page: int | None = None,
) -> list[Version]:
    """Saves of a transformation, the newest first: all of them, one, or a page."""
    rows = await collect(
        _queries.recipe_versions(
            connection,
            transformation_id=transformation_id,
            version=version,
            before_version=before_version,
            page=page,
        )
    )
    return [Version(**dict(row)) for row in rows]


async def read_graph(connection: Connection) -> dict[UUID, set[UUID]]:
    """For every table that a recipe writes: the tables that the recipe reads."""
    graph: dict[UUID, set[UUID]] = {}
    for row in await collect(_queries.all_reads(connection)):
        graph.setdefault(row["transformation_id"], set()).add(row["table_id"])
    return graph


def saved_of(row: asyncpg.Record) -> Saved:
    """One row of the query `transformations`."""
    return Saved(
        transformation_id=row["transformation_id"],
        name=row["name"],
        description=row["description"],
        version=row["version"],
        recipe=row["recipe"],
        reads=tuple(row["reads"] or ()),
        output_table_name=row["output_table_name"],
        columns=tuple(Column.model_validate(column) for column in row["expected"]),
        digest=row["digest"],
        is_deleting=row["is_deleting"],
        last_run_at=row["last_run_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
