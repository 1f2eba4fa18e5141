"""Finding what a person named: by id, by name, or a suggestion of what they may have meant."""

import difflib
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar
from uuid import UUID

from contracts.orchestrator import Pipeline
from contracts.transform import WarehouseTable
from dalgo.cli.output import Failure
from dalgo.client import Dalgo
from dalgo.resources.transformations import Transformation


class Named(Protocol):
    """Something with an id and a name."""

    @property
    def id(self) -> UUID: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102


N = TypeVar("N", bound=Named)


def find(what: str, text: str, get: Callable[[UUID], N], items: Callable[[], Iterable[N]]) -> N:
    """The one item with this id or name; raises Failure that names the alternatives.

    `what` is the kind of thing in words, for example "source".
    """
    try:
        return get(UUID(text))
    except ValueError:
        pass
    known = list(items())
    exact = [item for item in known if item.name == text]
    alike = exact or [item for item in known if item.name.casefold() == text.casefold()]
    if len(alike) == 1:
        return alike[0]
    if alike:
        ids = ", ".join(str(item.id) for item in alike)
        raise Failure(f"There is more than one {what} '{text}': name one by its id ({ids}).")
    raise Failure(_unknown(what, text, [item.name for item in known]))


def recipe_named(dalgo: Dalgo, text: str) -> Transformation:
    """The transformation of this name or id."""
    return find("recipe", text, dalgo.transformations.get, dalgo.transformations.list)


def pipeline_named(dalgo: Dalgo, text: str) -> Pipeline:
    """The pipeline of this name or id."""
    return find("pipeline", text, dalgo.pipelines.get, dalgo.pipelines.list)


def table_name(text: str, tables: Iterable[WarehouseTable]) -> str:
    """A table's name as the server knows it, whatever the case in which it was typed."""
    known = list(tables)
    for table in known:
        if text in (table.name, table.physical_name, str(table.table_id)):
            return text
    alike = [table.name for table in known if table.name.casefold() == text.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise Failure(_unknown("table", text, [table.name for table in known]))


def _unknown(what: str, text: str, names: list[str]) -> str:
    close = difflib.get_close_matches(text, names, n=1)
    if close:
        return f"There is no {what} '{text}'. Did you mean '{close[0]}'?"
    if not names:
        return f"There is no {what} '{text}': there is none at all yet."
    listed = ", ".join(f"'{name}'" for name in sorted(names)[:8])
    return f"There is no {what} '{text}'. There is {listed}{', …' if len(names) > 8 else ''}."
