"""Recipes on the catalogue's tables: checked and compiled in worker processes, within a budget."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from uuid import UUID

from chassis.shares import Share
from chassis.telemetry import log
from chassis.workers import BudgetSpent, WorkerLost, Workers
from contracts.problem import ProblemError, problem
from contracts.shares import COMPILES, JOB_COMPILES
from contracts.tables import Column
from contracts.transform import SortItem
from recipe import Checked, Context, OpenNames, Table
from recipe.diff import StepChange
from transform import compiling
from transform.domain import CatalogueTable
from transform.drafts import Draft, Mention, Page, Profile, Statement
from transform.kept import Kept
from transform.placing import recipe_tables
from transform.recipe_json import has_names_from_data, mentioned, written
from warehouse.names import data_schema

if TYPE_CHECKING:
    from recipe.lineage import Origin

SECONDS = 5.0
"""CPU time for one computation on a recipe."""

TOO_EXPENSIVE = "recipe_too_expensive"
"""The code of the problem of a recipe past its budget."""

_MODULE = "transform.preload"
_KEPT = 500

P = ParamSpec("P")
R = TypeVar("R")
Made = TypeVar("Made", Statement, Page, Profile)


@dataclass(frozen=True)
class Prepared:
    """A recipe that fits its tables, ready to be kept."""

    recipe: dict[str, object]
    """Names tables by their live names."""
    reads: tuple[UUID, ...]
    columns: tuple[Column, ...]
    mentions: tuple[Mention, ...] = ()


def compile_workers() -> Workers:
    """The processes that compile, to be closed by the caller."""
    return Workers([_MODULE], most=COMPILES.total + JOB_COMPILES.total)


class Compiler:
    """Asks worker processes, and keeps what they have found.

    Recipes are JSON as it was written or kept. Every method raises problems as its function in
    `compiling` does, and 422 `recipe_too_expensive` past the budget, 429 past the share, 503 when a
    worker was lost twice.
    """

    def __init__(
        self,
        workers: Workers,
        share: Share | None = None,
        *,
        seconds: float = SECONDS,
    ) -> None:
        """`share`: slots of organisations; None where the caller bounds them, as builds do."""
        self._workers = workers
        self._share = share
        self._seconds = seconds
        self._statements: Kept[tuple[object, ...], Statement] = Kept(_KEPT)
        self._pages: Kept[tuple[object, ...], Page] = Kept(_KEPT)
        self._profiles: Kept[tuple[object, ...], Profile] = Kept(_KEPT)
        self._mentions: Kept[str, tuple[Mention, ...]] = Kept(_KEPT)
        self._shown: Kept[tuple[object, ...], dict[str, object]] = Kept(_KEPT)

    async def close(self) -> None:
        """End the workers."""
        await self._workers.close()

    async def check(
        self, recipe: object, org_id: UUID, tables: Iterable[CatalogueTable]
    ) -> Checked:
        """Every error of a recipe, and the columns after each step before the first."""
        draft = _draft(recipe, recipe_tables(org_id, tables))
        return await self._run(org_id, compiling.checked, draft)

    async def try_check(
        self, recipe: object, org_id: UUID, tables: Iterable[CatalogueTable]
    ) -> Checked | None:
        """The same of a recipe that was saved; None for one that takes too long by now."""
        try:
            return await self.check(recipe, org_id, tables)
        except ProblemError as error:
            if error.problem.code != TOO_EXPENSIVE:
                raise
        return None

    async def prepare(
        self, recipe: object, org_id: UUID, tables: Collection[CatalogueTable]
    ) -> Prepared:
        """A recipe ready to be kept."""
        draft = _draft(recipe, recipe_tables(org_id, tables))
        live_names = {table.display_name: table.physical_name for _, table in draft.tables}
        found = await self._run(org_id, compiling.fitting, draft, live_names)
        ids = {table.physical_name: UUID(table.table_id) for _, table in draft.tables}
        reads = {ids[mention.table] for mention in found.mentions if mention.table in ids}
        return Prepared(found.recipe, tuple(sorted(reads)), found.columns, found.mentions)

    async def statement(
        self,
        org_id: UUID,
        recipe: object,
        tables: Mapping[str, Table],
        context: Context,
        *,
        until_step: int | None = None,
        readable: bool = False,
    ) -> Statement:
        """All rows of a recipe as one statement; the same one only once."""
        draft = _draft(recipe, tables, until_step)
        return await self._known(
            self._statements,
            (draft, context.timezone, readable),
            context,
            lambda: self._run(
                org_id,
                compiling.statement,
                draft,
                context,
                data_schema(org_id),
                readable=readable,
            ),
        )

    async def preview(
        self,
        org_id: UUID,
        recipe: object,
        tables: Mapping[str, Table],
        context: Context,
        filter: Mapping[str, object] | None,
        sort: Sequence[SortItem],
        *,
        until_step: int | None = None,
        as_stored: bool = False,
    ) -> Page:
        """The statements of a preview; the same ones only once.

        They may be run once all tables that they read have versions.
        """
        draft = _draft(recipe, tables, until_step)
        narrowed_by = None if filter is None else written(filter)
        return await self._known(
            self._pages,
            (draft, context.timezone, narrowed_by, tuple(sort), as_stored),
            context,
            lambda: self._run(
                org_id,
                compiling.preview,
                draft,
                context,
                data_schema(org_id),
                filter,
                [(item.column, item.descending) for item in sort],
                as_stored=as_stored,
            ),
        )

    async def profile(
        self,
        org_id: UUID,
        recipe: object,
        tables: Mapping[str, Table],
        context: Context,
        every: int | None,
        until_step: int | None = None,
    ) -> Profile:
        """The statements of a profile, as `preview`."""
        draft = _draft(recipe, tables, until_step)
        return await self._known(
            self._profiles,
            (draft, context.timezone, every),
            context,
            lambda: self._run(
                org_id, compiling.profile, draft, context, data_schema(org_id), every
            ),
        )

    async def live_sql(
        self, org_id: UUID, recipe: object, tables: Mapping[str, Table], context: Context
    ) -> str:
        """The statement for people to read."""
        return await self._run(org_id, compiling.live_sql, _draft(recipe, tables), context)

    async def trace(
        self, org_id: UUID, recipe: object, tables: Mapping[str, Table], context: Context
    ) -> "tuple[tuple[Column, ...], dict[str, tuple[Origin, ...]]]":
        """A recipe's columns, and for each those of the tables that it is made of."""
        return await self._run(org_id, compiling.traced, _draft(recipe, tables), context)

    async def open_names(
        self,
        org_id: UUID,
        recipe: object,
        tables: Mapping[str, Table],
        context: Context,
        until_step: int | None = None,
    ) -> OpenNames | None:
        """The first pivot whose names have to be read from the data; None if there is none."""
        if not has_names_from_data(recipe):
            return None
        draft = _draft(recipe, tables, until_step)
        return await self._run(org_id, compiling.opened, draft, context, data_schema(org_id))

    async def with_names(
        self, org_id: UUID, recipe: object, index: int, values: Sequence[str | None]
    ) -> dict[str, object]:
        """A recipe with the names that were read for its step at `index`."""
        return await self._run(org_id, compiling.named, written(recipe), index, values)

    async def mentions(self, org_id: UUID, recipe: object) -> tuple[Mention, ...]:
        """Every table that a recipe names; the same recipe is read only once."""
        text = written(recipe)
        found = self._mentions.get(text)
        if found is None:
            found = await self._run(org_id, compiling.mentions, text)
            self._mentions.put(text, found)
        return found

    async def shown(
        self, org_id: UUID, asked: Sequence[tuple[dict[str, object], Mapping[str, str]]]
    ) -> list[dict[str, object]]:
        """Kept recipes with the names that people know: display names by live names."""
        keys = [(written(kept), tuple(sorted(names.items()))) for kept, names in asked]
        found = [self._shown.get(key) for key in keys]
        missing = [key for key, known in zip(keys, found, strict=True) if known is None]
        if missing:
            work = [(text, dict(names)) for text, names in missing]
            made = await self._run(org_id, compiling.shown, work)
            fresh = dict(zip(missing, made, strict=True))
            for key, recipe in fresh.items():
                self._shown.put(key, recipe)
            found = [known or fresh[key] for key, known in zip(keys, found, strict=True)]
        return [known for known in found if known is not None]

    async def compare(self, org_id: UUID, old: object, new: object) -> tuple[StepChange, ...]:
        """What turns one recipe into another."""
        return await self._run(org_id, compiling.compared, written(old), written(new))

    async def _known(
        self,
        kept: "Kept[tuple[object, ...], Made]",
        key: tuple[object, ...],
        context: Context,
        make: Callable[[], Awaitable["Made"]],
    ) -> "Made":
        """What was made before, for the same moment where it depends on that."""
        made = kept.get(key) or kept.get((*key, context.as_of))
        if made is None:
            made = await make()
            kept.put((*key, context.as_of) if made.depends_on_now else key, made)
        return made

    async def _run(
        self, org_id: UUID, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        async with nullcontext() if self._share is None else self._share.slot(org_id):
            try:
                return await self._workers.run(self._seconds, work, *args, **kwargs)
            except BudgetSpent as error:
                log.warning("recipe_too_expensive", work=work.__name__, reason=str(error))
                raise _too_expensive(self._seconds) from error
            except WorkerLost as error:
                raise problem(
                    503,
                    "compile_failed",
                    "The process that compiles recipes ended early. Try again shortly.",
                    retry_after=2,
                ) from error


def _draft(recipe: object, tables: Mapping[str, Table], until_step: int | None = None) -> Draft:
    found = mentioned(recipe, tables)
    names = tuple(table.display_name for table in tables.values())
    return Draft(written(recipe), tuple(found.items()), names, until_step)


def _too_expensive(seconds: float) -> ProblemError:
    return problem(
        422,
        TOO_EXPENSIVE,
        f"This recipe takes more than {seconds:g} s to compile. Split it into two transformations, "
        "select fewer columns in an early step, or shorten its formulas.",
    )
