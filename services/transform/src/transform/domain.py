"""The rules of the catalogue: names, cycles, and what a table is. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import Reject
from chassis.paging import name_key
from contracts.envelope import MalformedMessage, Meta
from contracts.problem import FieldProblem, ProblemError, problem
from contracts.tables import Column, TableVersion
from contracts.transform import TableKind, WarehouseTable
from recipe.errors import RecipeError
from warehouse.names import live_name, table_id_of

_NAME_LENGTH = 200
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class CatalogueTable:
    """A table of the catalogue, with what is published of it."""

    table_id: UUID
    kind: TableKind
    name: str
    expected: tuple[Column, ...]
    published: TableVersion | None = None
    published_at: datetime | None = None
    used_by: tuple[str, ...] = ()

    @property
    def physical_name(self) -> str:
        """Its live name."""
        return live_name(self.kind, self.table_id)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Published columns, else the expected ones."""
        return self.published.columns if self.published else self.expected

    def shows(self, version: TableVersion) -> bool:
        """Whether this version is the published one."""
        return self.published is not None and self.published.version_id == version.version_id

    def view(self) -> WarehouseTable:
        """The table as the contract shows it."""
        version = self.published
        return WarehouseTable(
            table_id=self.table_id,
            name=self.name,
            physical_name=self.physical_name,
            kind=self.kind,
            columns=self.columns,
            row_count=version.rows if version else None,
            bytes=version.bytes if version else None,
            version=version.version_id if version else None,
            updated_at=self.published_at,
            used_by=self.used_by,
            nullable=version.nullable if version else None,
        )


def checked_name(name: str, field: str = "name") -> str:
    """A display name without outer space; raises a 422 problem for one that cannot be."""
    name = name.strip()
    if not name:
        message = "The name is empty. Give one that people will recognise."
    elif len(name) > _NAME_LENGTH:
        message = f"The name has {len(name)} characters; {_NAME_LENGTH} are allowed."
    elif _UNPRINTABLE.search(name):
        message = "The name has a line break or another character that cannot be seen."
    elif table_id_of(name_key(name)) is not None:
        message = f"'{name}' has the form of a physical table name. Choose another name."
    else:
        return name
    raise problem(
        422, "bad_name", message, (FieldProblem(field=field, code="bad_name", message=message),)
    )


def name_taken(name: str, taken: Collection[str], field: str) -> ProblemError:
    """409: another table has the name; `taken` are the keys of all names. Suggests a free one."""
    between = " " if " " in name else "_"
    number = 2
    while name_key(free := f"{name}{between}{number}") in taken:
        number += 1
    message = f"There is a table '{name}' already. '{free}' is free."
    error = FieldProblem(field=field, code="name_taken", message=message, alternatives=(free,))
    return problem(409, "name_taken", message, (error,))


def table_in_use(name: str, readers: Iterable[str], pipelines: Iterable[str] = ()) -> ProblemError:
    """409: something reads the table or runs what writes it, named."""
    users = [f"the transformation '{reader}'" for reader in readers]
    users += [f"the pipeline '{pipeline}'" for pipeline in pipelines]
    detail = f"'{name}' is used by {_listed(users)}. Change or delete that first."
    return problem(409, "in_use", detail)


def not_synced(tables: Iterable[CatalogueTable], status: int) -> ProblemError:
    """The tables hold no data yet; says what to run."""
    said = [
        f"The table '{table.name}' has not been synced yet. Sync its source first."
        if table.kind == "source"
        else f"The table '{table.name}' has not been built yet. Run its transformation first."
        for table in tables
    ]
    return problem(status, "not_synced", " ".join(said))


def require_published(tables: Iterable[CatalogueTable], reads: Iterable[UUID]) -> None:
    """Raise a 409 problem naming the tables among `reads` that hold no data yet."""
    wanted = set(reads)
    if missing := [t for t in tables if t.table_id in wanted and t.published is None]:
        raise not_synced(missing, 409)


def invalid_recipe(errors: Iterable[RecipeError]) -> ProblemError:
    """422 with every error at its step; the detail is the first one's."""
    found = list(errors)
    rest = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    detail = f"Step {found[0].step}: {found[0].message}{rest}"
    return problem(422, "invalid_recipe", detail, tuple(field_problem(error) for error in found))


def bad_part(
    part: str, found: Sequence[tuple[str | None, str, str, tuple[str, ...]]]
) -> ProblemError:
    """422 at `sort` or `filter`, whose path as a step's field begins with `where`."""
    errors = tuple(
        FieldProblem(
            field=".".join(filter(None, (part, (path or "").removeprefix("where").lstrip(".")))),
            code=code,
            message=message,
            alternatives=alternatives,
        )
        for path, code, message, alternatives in found
    )
    return problem(422, f"bad_{part}", errors[0].message, errors)


def recipe_error(told: FieldProblem) -> RecipeError:
    """The error of the recipe language that `field_problem` made this of."""
    return RecipeError.model_validate(told.model_dump() | {"step": told.step or 0})


def field_problem(error: RecipeError) -> FieldProblem:
    """An error of the recipe language in the shape of every other error."""
    return FieldProblem(
        field=error.field or "",
        code=error.code,
        message=error.message,
        step=error.step,
        step_id=error.step_id,
        alternatives=tuple(error.alternatives),
    )


def find_cycle(reads: Mapping[UUID, Collection[UUID]], own: UUID) -> list[UUID] | None:
    """The way on which `own` reaches itself, both ends included; None when it does not.

    `reads` maps a table that a recipe writes to the tables that the recipe reads.
    """
    came_from: dict[UUID, UUID] = {}
    waiting = [own]
    while waiting:
        table = waiting.pop()
        for read in sorted(reads.get(table, ())):
            if read == own:
                way = [own, table]
                while way[-1] != own:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if read not in came_from:
                came_from[read] = table
                waiting.append(read)
    return None


def beyond(edges: Mapping[UUID, Collection[UUID]], start: UUID) -> set[UUID]:
    """Everything that can be reached from `start`, which is left out."""
    found: set[UUID] = set()
    waiting = [start]
    while waiting:
        for there in edges.get(waiting.pop(), ()):
            if there not in found and there != start:
                found.add(there)
                waiting.append(there)
    return found


def view_columns(
    old: Mapping[str, str], new: Mapping[str, str], *, last: str, may_move: bool = True
) -> tuple[list[str], bool]:
    """The columns of a live view in order, and whether the old view can be replaced in place.

    `old` and `new` map names to SQL types, in order; `old` is empty when there is no view. A column
    named `last` stands behind all others, unless the view had it before columns were appended:
    PostgreSQL replaces a view only when its columns keep their places. Unless they `may_move`, they
    keep them whatever their order is now.
    """
    wished = [name for name in new if name != last]
    wished += [name for name in new if name == last]
    kept = [name for name in old if name != last]
    moved = [name for name in wished if name != last][: len(kept)] != kept
    if (moved and may_move) or any(new.get(name) != kind for name, kind in old.items()):
        return wished, False
    return [*old, *(name for name in wished if name not in old)], True


class NoOrganization(Reject, MalformedMessage):
    """A message that names no organisation: refused as a request, buried as a command."""


def organization_of(meta: Meta) -> UUID:
    """The organisation that a message is about; raises NoOrganization."""
    if meta.org_id is None:
        raise NoOrganization(f"{meta.type} names no organisation")
    return meta.org_id


def _listed(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
