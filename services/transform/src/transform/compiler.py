"""Recipes on the catalogue's tables: names resolved, checked, compiled, one at a time."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from uuid import UUID

from chassis.telemetry import log
from contracts.problem import problem
from contracts.tables import Column, TableVersion
from recipe import (
    Checked,
    Compiled,
    Context,
    OpenNames,
    Recipe,
    RecipeError,
    RecipeProblems,
    Table,
    check,
    compile_recipe,
    has_open_names,
    open_names,
    parse,
    pinned,
    references,
    resolve,
    unpinned,
)
from recipe.guard import Forbidden, guard
from recipe.lineage import Origin, trace
from recipe.naming import physical_names
from recipe.statement import readable_sql
from recipe.tables import Catalogue
from transform.domain import CatalogueTable, find_cycle, invalid_recipe
from transform.kept import Kept
from warehouse.names import data_schema, live_schema

_KEPT = 128
"""Compiled recipes; one of ten steps takes 180 KB."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Prepared:
    """A recipe that fits its tables, ready to be kept."""

    recipe: dict[str, object]
    """Names tables by their live names."""
    reads: tuple[UUID, ...]
    columns: tuple[Column, ...]


class Compiler:
    """Checks and compiles off the event loop.

    One recipe at a time: the work is Python's own, so that a second thread would win nothing, and
    Ibis does not promise to be safe in several.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "compiler")
        self._kept: Kept[tuple[object, ...], Compiled] = Kept(_KEPT)
        self._vouched: Kept[tuple[UUID, str], bool] = Kept(_KEPT)
        self._readable: Kept[tuple[object, ...], str] = Kept(_KEPT)

    def warm(self) -> None:
        """Load what compiling needs now (half a second), so that nobody's first request does."""
        column = Column(name="a", physical="a", type="text")
        table = Table(
            table_id="",
            display_name="t",
            physical_name="t",
            schema_name="s",
            relation="t",
            columns=(column,),
        )
        recipe = {"steps": [{"type": "source", "table": "t"}]}
        self._thread.submit(check, recipe, {"t": table})

    async def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def check(
        self, recipe: object, org_id: UUID, tables: Iterable[CatalogueTable]
    ) -> Checked:
        """What is wrong with a recipe, parsed or as a user wrote it."""
        return await self.run(check, recipe, recipe_tables(org_id, tables))

    async def prepare(
        self, recipe: object, org_id: UUID, tables: Collection[CatalogueTable]
    ) -> Prepared:
        """A recipe ready to be kept; raises a 422 problem with every error at its step."""
        checked = await self.check(recipe, org_id, tables)
        if checked.errors:
            raise invalid_recipe(checked.errors)
        kept = resolve(parse(recipe), {table.name: table.physical_name for table in tables})
        kept = pinned(kept, {table.physical_name: table.name for table in tables})
        content = kept.model_dump(mode="json")
        try:
            parse(content)
        except RecipeProblems as error:
            # Live names are longer than the names people give.
            raise invalid_recipe(error.errors) from error
        return Prepared(
            recipe=content,
            reads=tables_read(kept, tables),
            columns=final_columns(checked),
        )

    async def compile(
        self,
        recipe: Recipe,
        tables: Mapping[str, Table],
        context: Context,
        until_step: int | None = None,
    ) -> Compiled:
        """A recipe, or its steps up to `until_step`, as one statement; the same one only once.

        Raises a 422 problem with every error at its step.
        """
        key = _key(recipe, tables, context, until_step)
        compiled = self._kept.get(key) or self._kept.get((*key, context.as_of))
        if compiled is None:
            try:
                compiled = await self.run(compile_recipe, recipe, tables, context, until_step)
            except RecipeProblems as error:
                raise invalid_recipe(error.errors) from error
            moment = (context.as_of,) if compiled.depends_on_now else ()
            self._kept.put((*key, *moment), compiled)
        return compiled

    async def open_names(
        self,
        recipe: Recipe,
        tables: Mapping[str, Table],
        context: Context,
        until_step: int | None = None,
    ) -> OpenNames | None:
        """The first pivot whose names have to be read from the data; None if there is none."""
        if not has_open_names(recipe, until_step):
            return None
        return await self.run(open_names, recipe, tables, context, until_step)

    async def trace(
        self, recipe: Recipe, tables: Mapping[str, Table], context: Context
    ) -> tuple[Compiled, dict[str, tuple[Origin, ...]]]:
        """A recipe, and for each of its columns those of the tables that it is made of.

        Raises a 422 problem with every error at its step.
        """
        compiled = await self.compile(recipe, tables, context)
        return compiled, await self.run(trace, compiled, tables.values())

    async def vouch(self, org_id: UUID, *statements: str) -> None:
        """Let nothing pass but a SELECT over the organisation's versions.

        Raises a 500 problem: a statement that does not pass is a mistake of ours.
        """
        for statement in statements:
            if self._vouched.get((org_id, statement)):
                continue
            try:
                await self.run(guard, statement, {data_schema(org_id)})
                self._vouched.put((org_id, statement), True)
            except Forbidden as error:
                log.error("statement_forbidden", reason=str(error))
                raise problem(
                    500,
                    "statement_forbidden",
                    "This recipe became a statement that may not run. Please report it.",
                ) from error

    async def readable(self, compiled: Compiled) -> str:
        """The statement for people; the same one is written only once."""
        key = (compiled.sql, *(fragment.step.model_dump_json() for fragment in compiled.fragments))
        text = self._readable.get(key)
        if text is None:
            text = await self.run(readable_sql, compiled)
            self._readable.put(key, text)
        return text

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Work that must not hold up the event loop, after that of all who came before."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))


def _key(
    recipe: Recipe, tables: Mapping[str, Table], context: Context, until_step: int | None
) -> tuple[object, ...]:
    """Equal for equal statements, the moment left aside: recipe, schemas, place to stop, zone."""
    catalogue = Catalogue(tables)
    read = tuple(catalogue.find(name) for name in references(recipe))
    return (recipe.model_dump_json(), read, until_step, context.timezone)


def recipe_tables(org_id: UUID, tables: Iterable[CatalogueTable]) -> dict[str, Table]:
    """Tables as recipes read them: the published version, else the live name that is to come."""
    placed: dict[str, Table] = {}
    for table in tables:
        version = table.published
        placed[table.physical_name] = Table(
            table_id=table.table_id.hex,
            display_name=table.name,
            physical_name=table.physical_name,
            schema_name=data_schema(org_id) if version else live_schema(org_id),
            relation=version.relation if version else table.physical_name,
            columns=table.columns,
        )
    return placed


def live_tables(org_id: UUID, tables: Iterable[CatalogueTable]) -> dict[str, Table]:
    """Tables under their live names, for SQL that people read."""
    return {
        name: table.model_copy(
            update={"schema_name": live_schema(org_id), "relation": table.physical_name}
        )
        for name, table in recipe_tables(org_id, tables).items()
    }


def pinned_tables(
    org_id: UUID, tables: Iterable[CatalogueTable], inputs: Sequence[TableVersion]
) -> dict[str, Table]:
    """Exactly these versions, under the names of their tables."""
    versions = {version.table_id: version for version in inputs}
    return {
        table.physical_name: Table(
            table_id=table.table_id.hex,
            display_name=table.name,
            physical_name=table.physical_name,
            schema_name=data_schema(org_id),
            relation=versions[table.table_id].relation,
            columns=versions[table.table_id].columns,
        )
        for table in tables
        if table.table_id in versions
    }


def tables_read(recipe: Recipe, tables: Iterable[CatalogueTable]) -> tuple[UUID, ...]:
    """Ids of the tables that a recipe in its kept form mentions."""
    by_name = {table.physical_name: table.table_id for table in tables}
    return tuple(sorted(by_name[name] for name in references(recipe) if name in by_name))


def shown(
    recipe: dict[str, object],
    tables: Iterable[CatalogueTable],
    former: Mapping[str, str] | None = None,
) -> Recipe:
    """A kept recipe with the names that people know.

    `former` are display names, by live names, of tables that may have gone since.
    """
    names = {**(former or {}), **{table.physical_name: table.name for table in tables}}
    return resolve(unpinned(parse(recipe), names), names)


def final_columns(checked: Checked) -> tuple[Column, ...]:
    """The columns that a fitting recipe gives, under the names they will have in the database."""
    columns = checked.steps[-1]
    names = physical_names([column.name for column in columns])
    return tuple(
        column.model_copy(update={"physical": name})
        for column, name in zip(columns, names, strict=True)
    )


def cycle_error(
    recipe: Recipe,
    reads: Mapping[UUID, Collection[UUID]],
    tables: Mapping[UUID, CatalogueTable],
    own: UUID,
) -> RecipeError | None:
    """The error of a recipe that reaches its own table, at the step where the way begins.

    `recipe` in its kept form; `reads` with what the recipe itself reads.
    """
    way = find_cycle(reads, own)
    if way is None:
        return None
    first = tables[way[1]].physical_name
    index, field = next(
        (index, field)
        for index, step in enumerate(recipe.steps)
        for field, name in step.tables()
        if name == first
    )
    spelled = " → ".join(f"'{tables[table].name}'" for table in way[::-1])
    return RecipeError(
        step=index,
        step_id=recipe.steps[index].id,
        type=recipe.steps[index].kind(),
        field=field,
        code="cycle",
        message=f"The recipe would read its own result: {spelled}. Read another table here.",
    )
