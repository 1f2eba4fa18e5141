"""Transformations in PostgreSQL: each save is one transaction over recipe, reads and output."""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, collect, queries
from chassis.paging import after, cursor, name_key
from chassis.shares import require_room
from contracts.problem import ProblemError, not_found, problem
from contracts.shares import RECIPE_VERSIONS, TRANSFORMATIONS
from contracts.tables import Column
from contracts.transform import (
    CreateTransformation,
    DeleteTransformation,
    ListRecipeVersions,
    ListTransformations,
    UpdateTransformation,
)
from transform.catalogue import drop_table, expect, read_around, read_tables, reserve
from transform.compiler import Prepared
from transform.domain import checked_name, invalid_recipe, table_in_use
from transform.placing import cycle_error
from transform.saved import Saved, Version, read_graph, read_saved, read_versions, saved_of

_queries = queries("transform")


class Store:
    """The transformations of all organisations, each behind its row-level security."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repeated(self, org_id: UUID, request: CreateTransformation) -> bool:
        """Whether the same request was served before; raises a 422 problem if another one was."""
        async with self._database.organization(org_id) as connection:
            found = await read_saved(connection, (request.transformation_id,))
        return bool(found) and _is_same(found[0], request)

    async def create(
        self, org_id: UUID, request: CreateTransformation, prepared: Prepared, actor: str
    ) -> None:
        """Insert once; a repeat of the same request changes nothing.

        Raises problems 409 `name_taken`, `too_many_transformations`, `too_many_tables`, 422
        `bad_name`, `idempotency_mismatch`, `invalid_recipe` (a cycle).
        """
        own = request.transformation_id
        name = checked_name(request.name)
        output, field = _output(request.output_table_name, name)
        async with self._database.organization(org_id) as connection:
            await _queries.lock_recipes(connection, org_id=org_id)
            found = await read_saved(connection, (own,))
            if found and _is_same(found[0], request):
                return
            held = await _queries.count_transformations(connection)
            require_room(TRANSFORMATIONS, held, "Delete one that is not needed any more.")
            await reserve(
                connection, org_id, own, "transform", output, prepared.columns, field=field
            )
            await _queries.insert_transformation(
                connection,
                transformation_id=own,
                org_id=org_id,
                name=name,
                name_key=name_key(name),
                description=request.description,
                digest=request.digest(),
            )
            await _save_recipe(connection, org_id, own, 1, prepared, actor)

    async def update(
        self,
        org_id: UUID,
        request: UpdateTransformation,
        prepared: Prepared | None,
        actor: str,
        restored_from: int | None = None,
    ) -> bool:
        """Save a new version unless it would be the same; returns whether its columns changed.

        `restored_from` is the version that `prepared` was taken from. Raises problems 404, 409
        `name_taken`, 412 and 422 as `create` does.
        """
        own = request.transformation_id
        async with self._database.organization(org_id) as connection:
            await _queries.lock_recipes(connection, org_id=org_id)
            old = _only(await read_saved(connection, (own,)), own)
            _require_version(old, request.if_version)
            name = old.name if request.name is None else checked_name(request.name)
            output = request.output_table_name or old.output_table_name
            description = old.description if request.description is None else request.description
            kept = prepared or Prepared(old.recipe, old.reads, old.columns)
            before = (old.name, old.description, old.output_table_name, old.recipe)
            if (name, description, output, kept.recipe) == before:
                return False
            await reserve(
                connection,
                org_id,
                own,
                "transform",
                output,
                kept.columns,
                field="output_table_name",
            )
            await _queries.update_transformation(
                connection,
                transformation_id=own,
                name=name,
                name_key=name_key(name),
                description=description,
            )
            await _save_recipe(connection, org_id, own, old.version + 1, kept, actor, restored_from)
        return kept.columns != old.columns

    async def get(self, org_id: UUID, transformation_id: UUID) -> Saved:
        """One transformation; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            return _only(await read_saved(connection, (transformation_id,)), transformation_id)

    async def present(self, org_id: UUID, transformation_ids: Collection[UUID]) -> list[Saved]:
        """Those of the given transformations that there are, by name."""
        async with self._database.organization(org_id) as connection:
            return await read_saved(connection, transformation_ids)

    async def page(
        self, org_id: UUID, request: ListTransformations
    ) -> tuple[list[Saved], str | None]:
        """A page of transformations by name, and the cursor of the next one."""
        after_key, after_id = after(request.cursor, str, UUID)
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.transformations(
                    connection,
                    transformation_ids=None,
                    after_key=after_key,
                    after_id=after_id,
                    page=request.limit + 1,
                )
            )
        page = rows[: request.limit]
        more = len(rows) > len(page)
        next_cursor = cursor(page[-1]["name_key"], page[-1]["transformation_id"]) if more else None
        return [saved_of(row) for row in page], next_cursor

    @asynccontextmanager
    async def deleting(self, org_id: UUID, transformation_id: UUID) -> AsyncIterator[None]:
        """Let nothing begin with a transformation while it is found out whether it may go."""
        await self._mark(org_id, transformation_id, True)
        try:
            yield
        finally:
            await self._mark(org_id, transformation_id, False)

    async def _mark(self, org_id: UUID, transformation_id: UUID, is_deleting: bool) -> None:
        async with self._database.organization(org_id) as connection:
            await _queries.mark_deleting(
                connection, transformation_id=transformation_id, is_deleting=is_deleting
            )

    async def delete(
        self, org_id: UUID, request: DeleteTransformation, pipelines: Iterable[str]
    ) -> None:
        """Delete a transformation with its table; `pipelines` are the names of those that run it.

        Raises problems 404, 409 `in_use` naming who reads the table or runs it, and 412.
        """
        own = request.transformation_id
        async with self._database.organization(org_id) as connection:
            await _queries.lock_recipes(connection, org_id=org_id)
            old = _only(await read_saved(connection, (own,)), own)
            _require_version(old, request.if_version)
            (table,) = await read_tables(connection, (own,))
            names = tuple(pipelines)
            if table.used_by or names:
                raise table_in_use(old.name, table.used_by, names)
            await drop_table(connection, org_id, table)

    async def versions(
        self, org_id: UUID, request: ListRecipeVersions
    ) -> tuple[list[Version], str | None]:
        """A page of versions, the newest first, and the cursor of the next one; raises 404."""
        (before,) = after(request.cursor, int)
        async with self._database.organization(org_id) as connection:
            own = request.transformation_id
            _only(await read_saved(connection, (own,)), own)
            found = await read_versions(
                connection,
                own,
                before_version=before,
                page=request.limit + 1,
            )
        page = found[: request.limit]
        return page, cursor(str(page[-1].version)) if len(found) > len(page) else None

    async def version(self, org_id: UUID, transformation_id: UUID, version: int) -> Version:
        """One version; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            saved = _only(await read_saved(connection, (transformation_id,)), transformation_id)
            found = await read_versions(connection, transformation_id, version=version)
        if not found:
            raise problem(
                404,
                "not_found",
                f"'{saved.name}' has no version {version}; its newest is {saved.version}.",
            )
        return found[0]

    async def readers(self, org_id: UUID, table_id: UUID) -> list[Saved]:
        """The transformations that read a table."""
        async with self._database.organization(org_id) as connection:
            rows = await collect(_queries.all_reads(connection))
            ids = [row["transformation_id"] for row in rows if row["table_id"] == table_id]
            return await read_saved(connection, ids)

    async def graph(self, org_id: UUID) -> dict[UUID, set[UUID]]:
        """For every table that a recipe writes: the tables that the recipe reads."""
        async with self._database.organization(org_id) as connection:
            return await read_graph(connection)

    async def expect(
        self, org_id: UUID, transformation_id: UUID, columns: tuple[Column, ...]
    ) -> None:
        """Change the columns that a transformation is expected to give."""
        async with self._database.organization(org_id) as connection:
            await expect(connection, transformation_id, columns)


async def _save_recipe(
    connection: Connection,
    org_id: UUID,
    transformation_id: UUID,
    version: int,
    prepared: Prepared,
    actor: str,
    restored_from: int | None = None,
) -> None:
    """Keep a version of a recipe and what it reads; called under the lock of recipes."""
    tables = {table.table_id: table for table in await read_around(connection, ())}
    reads = await read_graph(connection) | {transformation_id: set(prepared.reads)}
    if error := cycle_error(prepared.mentions, reads, tables, transformation_id):
        raise invalid_recipe([error])
    await _queries.insert_version(
        connection,
        transformation_id=transformation_id,
        version=version,
        org_id=org_id,
        recipe=prepared.recipe,
        table_names={
            tables[table_id].physical_name: tables[table_id].name
            for table_id in prepared.reads
            if table_id in tables
        },
        saved_by=actor,
        restored_from=restored_from,
    )
    await _queries.forget_recipe_versions(
        connection, transformation_id=transformation_id, most=RECIPE_VERSIONS.each
    )
    await _queries.clear_reads(connection, transformation_id=transformation_id)
    try:
        await _queries.put_reads(
            connection,
            transformation_id=transformation_id,
            org_id=org_id,
            table_ids=list(prepared.reads),
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise problem(
            409,
            "changed_meanwhile",
            "A table that the recipe reads was deleted a moment ago. Choose another one.",
        ) from error


def _only(found: list[Saved], transformation_id: UUID) -> Saved:
    if not found:
        raise not_found("transformation", transformation_id)
    return found[0]


def _output(given: str | None, name: str) -> tuple[str, str]:
    """The display name of the output, and the field that it comes from."""
    return (name, "name") if given is None else (given, "output_table_name")


def _is_same(saved: Saved, request: CreateTransformation) -> bool:
    if saved.digest == request.digest():
        return True
    raise problem(
        422,
        "idempotency_mismatch",
        "This Idempotency-Key was used for another transformation. Use a new key.",
    )


def _require_version(saved: Saved, version: int | None) -> None:
    if version is not None and version != saved.version:
        raise _changed(saved.version)


def _changed(version: int) -> ProblemError:
    return problem(
        412,
        "changed_meanwhile",
        f"The transformation was changed by somebody else (version {version} now). "
        "Load it again and repeat your change.",
    )
