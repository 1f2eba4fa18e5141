"""Which recipes need columns of a table: found by compiling them without those columns."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from contracts.drift import ColumnUser
from contracts.tables import Column
from contracts.transform import ColumnUsers, FindColumnUsers
from recipe.tables import folded
from transform.catalogue import Catalogue
from transform.compiler import Compiler
from transform.domain import CatalogueTable
from transform.placing import final_columns
from transform.saved import Saved
from transform.store import Store

_CHECKS = 100
"""Checks of recipes spent on finding out which of several columns each one uses: one check takes
some 50 ms. Beyond that, those that a recipe mentions."""

Tables = Mapping[UUID, CatalogueTable]
Readers = Mapping[UUID, Sequence[Saved]]


class Usage:
    """Answers who uses columns, for the tables of all organisations."""

    def __init__(self, store: Store, catalogue: Catalogue, compiler: Compiler) -> None:
        self._store = store
        self._catalogue = catalogue
        self._compiler = compiler

    async def find(self, org_id: UUID, request: FindColumnUsers) -> ColumnUsers:
        """Recipes that use the columns, by name; one that fits no more already is left out."""
        readers = await self._readers(org_id, request.table_id)
        recipes = [one.recipe for below in readers.values() for one in below]
        # What a recipe below gives is read by others, or by none: its columns are looked at all the same.
        ids = [request.table_id, *readers]
        around = await self._catalogue.around(org_id, recipes, ids)
        tables = {table.table_id: table for table in around}
        own = tables.get(request.table_id)
        if own is None or not request.changed:
            return ColumnUsers(users=())
        changed = set(request.changed)
        without = [column for column in own.columns if column.name not in changed]
        together = await self._misfits(org_id, tables, readers, own, without)
        if not together:
            return ColumnUsers(users=())
        below = {one.transformation_id: one for found in readers.values() for one in found}
        used = await self._columns(org_id, tables, readers, own, request.changed, together.keys())
        breaks = await self._misfits(org_id, tables, readers, own, request.columns)
        users: list[ColumnUser] = []
        for one in together.keys() | used.keys():
            if await self._fits(org_id, tables, below[one]):
                user = ColumnUser(
                    transformation_id=one,
                    name=below[one].name,
                    # Without all of them it does not fit, even where none alone is missed.
                    columns=tuple(used.get(one, request.changed)),
                    error=breaks.get(one),
                )
                users.append(user)
        return ColumnUsers(users=tuple(sorted(users, key=lambda user: user.name)))

    async def _columns(
        self,
        org_id: UUID,
        tables: Tables,
        readers: Readers,
        own: CatalogueTable,
        changed: Sequence[str],
        misfits: Collection[UUID],
    ) -> dict[UUID, list[str]]:
        """Which of several columns each recipe needs; `misfits` do not fit without all of them.

        Nothing is said of a single column: its users are the misfits.
        """
        used: dict[UUID, list[str]] = {}
        texts = {
            reader.transformation_id: folded(json.dumps(reader.recipe, ensure_ascii=False))
            for below in readers.values()
            for reader in below
        }
        checks = 0
        for name in changed if len(changed) > 1 else ():
            users = {one for one, text in texts.items() if folded(name) in text}
            if not users:
                continue
            checks += len(texts)
            if checks > _CHECKS:
                users &= set(misfits)
            else:
                rest = [column for column in own.columns if column.name != name]
                users = set(await self._misfits(org_id, tables, readers, own, rest))
            for one in users:
                used.setdefault(one, []).append(name)
        return used

    async def _readers(self, org_id: UUID, table_id: UUID) -> Readers:
        """The recipes below a table, by the table that they read."""
        found: dict[UUID, Sequence[Saved]] = {}
        waiting = [table_id]
        while waiting:
            table = waiting.pop()
            if table not in found:
                found[table] = await self._store.readers(org_id, table)
                waiting += [one.transformation_id for one in found[table]]
        return found

    async def _fits(self, org_id: UUID, tables: Tables, saved: Saved) -> bool:
        checked = await self._compiler.try_check(saved.recipe, org_id, tables.values())
        return checked is not None and not checked.errors

    async def _misfits(
        self,
        org_id: UUID,
        tables: Tables,
        readers: Readers,
        own: CatalogueTable,
        columns: Iterable[Column],
    ) -> dict[UUID, str]:
        """Recipes that do not fit where a table has these columns, each with what is wrong first.

        Columns that a recipe hands on are followed to the recipes that read its result.
        """
        now = dict(tables) | {own.table_id: _with(own, columns)}
        found: dict[UUID, str] = {}
        waiting = [own.table_id]
        while waiting:
            for reader in readers[waiting.pop()]:
                output = reader.transformation_id
                checked = await self._compiler.try_check(reader.recipe, org_id, now.values())
                if checked is None:
                    found.setdefault(output, "The recipe takes too long to check.")
                elif checked.errors:
                    first = checked.errors[0]
                    found.setdefault(output, f"Step {first.step}: {first.message}")
                elif checked.open is None and output in now:
                    given = final_columns(checked)
                    if given != now[output].columns:
                        now[output] = _with(now[output], given)
                        waiting.append(output)
        return found


def _with(table: CatalogueTable, columns: Iterable[Column]) -> CatalogueTable:
    """The table as it would be with other columns."""
    return replace(table, published=None, expected=tuple(columns))
