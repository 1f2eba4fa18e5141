"""Views on live views: taken down where a live view has to be dropped, and put back as they were.

Everything here runs inside `as_org`. The statements that put something back are PostgreSQL's own
(`pg_get_viewdef`, `format`), written and read under an empty search path; whatever they cannot
bring back is found by comparing what stands then with what stood before.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.database import AWAY, Connection, collect, queries
from contracts.problem import ProblemError, problem
from transform.domain import CatalogueTable
from warehouse.access import as_owner
from warehouse.names import live_schema, org_role, qualified

_queries = queries("transform")

_TIME = "30s"
"""For each statement: so long, and no longer, readers wait for a materialised view to be filled."""

_OWN_PATH = "SET LOCAL search_path = pg_catalog, pg_temp"
_BEGIN = f"{_OWN_PATH}; SET LOCAL statement_timeout = '{_TIME}'"
_END = (
    "SET LOCAL search_path = DEFAULT; SET LOCAL statement_timeout = DEFAULT;"
    # An owner's code may have taken some, and nothing of ours holds one beyond its transaction.
    "SELECT pg_advisory_unlock_all()"
)

_DEPENDENT = re.compile(r"^(.+?) depends on ", re.MULTILINE)

_PASSING = (
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    *AWAY,
)
"""What says nothing about a view: the whole publish is tried again."""


@dataclass(frozen=True)
class Gone:
    """A table whose live view has to be dropped, and the columns that it will not have again."""

    table: CatalogueTable
    columns: tuple[str, ...]


@asynccontextmanager
async def taken_down(
    connection: Connection, org_id: UUID, gone: Sequence[Gone]
) -> AsyncIterator[None]:
    """For as long as the block lasts, live views are dropped, with all that reads them.

    The caller has locked the live views, and makes them anew in the block; afterwards the others
    are as they were, and all have their grants and comments. Raises a 409 problem that names each
    view that cannot be, and why; the transaction is to be given up then.
    """
    losses = _Losses(org_id, gone)
    await connection.execute(_BEGIN)
    views = await _locked(connection, org_id, losses)
    states = await _states(connection, views, losses)
    for view in reversed(views):
        with _told(view, losses, "cannot be dropped"):
            await _as_its_owner(connection, org_id, view, f"DROP {view['kind']} {_sql(view)}")
    yield
    for view in views:
        state = states[_key(view)]
        statements = state["rest"] if view["depth"] == 0 else [state["creation"], *state["rest"]]
        with _told(view, losses, "cannot be made on the new columns"):
            await _as_its_owner(connection, org_id, view, ";\n".join(statements))
    await _compare(connection, views, states, losses)
    await connection.execute(_END)


def lock_of(view: str, kind: str = "VIEW") -> str:
    """The statement, for its owner, that locks a view against everybody until the transaction ends.

    It changes nothing, and takes the lock of the view alone: LOCK would go through to the tables.
    """
    return f"ALTER {kind} {view} OWNER TO CURRENT_USER"


def dependents_of(error: asyncpg.DependentObjectsStillExistError) -> str:
    """What PostgreSQL names in `view a depends on view b`, line by line."""
    found = _DEPENDENT.findall(getattr(error, "detail", None) or "")
    return ", ".join(dict.fromkeys(found)) or "Something else"


class _Losses:
    """The live views that are dropped, as the statements want them."""

    def __init__(self, org_id: UUID, gone: Sequence[Gone]) -> None:
        self.schema = live_schema(org_id)
        self.tables = [each.table for each in gone]
        self.live = [table.physical_name for table in self.tables]
        lost = [(each.table, column) for each in gone for column in each.columns]
        self.names = [table.physical_name for table, _ in lost]
        self.columns = [column for _, column in lost]
        self.said = [f"'{_display(table, column)}' of '{table.name}'" for table, column in lost]


async def _locked(connection: Connection, org_id: UUID, losses: _Losses) -> list[asyncpg.Record]:
    """All that has to be dropped, each after what it reads, and locked; raises the 409 problem."""
    locked: set[int] = set()
    while True:
        found = await collect(
            _queries.views_on(
                connection,
                schema=losses.schema,
                live=losses.live,
                gone=losses.names,
                gone_columns=losses.columns,
                gone_said=losses.said,
            )
        )
        if misfits := [what for view in found if (what := _misfit(view))]:
            raise _refused(losses, misfits)
        # Somebody may have made a view on one that was not locked yet.
        missing = [view for view in found if view["depth"] > 0 and view["oid"] not in locked]
        if not missing:
            return found
        for view in missing:
            with _told(view, losses, "cannot be locked"):
                try:
                    await _as_its_owner(connection, org_id, view, lock_of(_sql(view), view["kind"]))
                except asyncpg.UndefinedTableError as error:
                    # Dropped or renamed while we waited: as one that is held, for the next try.
                    raise asyncpg.LockNotAvailableError(str(error)) from error
            locked.add(view["oid"])


def _misfit(view: asyncpg.Record) -> str | None:
    """Why a view cannot be put back, as a sentence."""
    if not view["is_ours"]:
        return f"{_said(view)} belongs to '{view['owner']}', so it is not ours to make anew."
    if view["depth"] == 0:
        return None
    if view["is_temporary"]:
        return f"{_said(view)} is a temporary view of an open session."
    if view["is_of_an_extension"]:
        return f"{_said(view)} belongs to an extension."
    if view["odd_type"]:
        return (
            f"{_said(view)} uses the type {view['odd_type']}, and making it anew would run what "
            "belongs to that type."
        )
    if view["stranger"]:
        return (
            f"{_said(view)} reads what '{view['stranger']}' has made, and filling it anew would run "
            "that with the organisation's rights."
        )
    if view["lacks"]:
        return f"{_said(view)} lacks {', '.join(view['lacks'])}."
    return None


async def _states(
    connection: Connection, views: Sequence[asyncpg.Record], losses: _Losses
) -> dict[tuple[str, str], asyncpg.Record]:
    rows = await collect(
        _queries.states_of_views(
            connection,
            schemas=[view["schema"] for view in views],
            names=[view["name"] for view in views],
            live_schema=losses.schema,
            gone=losses.names,
            gone_columns=losses.columns,
        )
    )
    return {_key(row): row for row in rows}


async def _compare(
    connection: Connection,
    views: Sequence[asyncpg.Record],
    before: Mapping[tuple[str, str], asyncpg.Record],
    losses: _Losses,
) -> None:
    """Raise the 409 problem unless everything is as it was, but for definitions that follow types."""
    after = await _states(connection, views, losses)
    misfits = []
    for view in views:
        was, now = before[_key(view)]["state"], after[_key(view)]["state"]
        if lost := [what for what in was if was[what] != now[what]]:
            misfits.append(f"{_said(view)} would not get back its {', '.join(lost)}.")
    if misfits:
        raise _refused(losses, misfits)


async def _as_its_owner(
    connection: Connection, org_id: UUID, view: asyncpg.Record, statements: str
) -> None:
    if view["owner"] == org_role(org_id):
        await connection.execute(statements)
        return
    async with as_owner(connection, org_id, view["owner"]):
        await connection.execute(statements)


@contextmanager
def _told(view: asyncpg.Record, losses: _Losses, what: str) -> Iterator[None]:
    """Make PostgreSQL's errors at a view the 409 problem, but for those that will pass."""
    try:
        yield
    except _PASSING:
        raise
    except asyncpg.DependentObjectsStillExistError as error:
        reads = f"{dependents_of(error)} reads {_said(view, 'the')} and cannot be carried over."
        raise _refused(losses, [reads]) from error
    except asyncpg.PostgresError as error:
        raise _refused(losses, [f"{_said(view)} {what}: {_reason(error)}."]) from error


def _refused(losses: _Losses, misfits: Sequence[str]) -> ProblemError:
    tables = ", ".join(f"'{table.name}'" for table in losses.tables)
    return problem(
        409,
        "columns_still_used",
        f"Columns of {tables} vanished, moved or changed their type, and something reads the old "
        f"ones. {' '.join(misfits)} Nothing was published. Drop that or change it, run again, and "
        "create it anew.",
    )


def _reason(error: asyncpg.PostgresError) -> str:
    if isinstance(error, asyncpg.QueryCanceledError):
        return f"one of its statements took longer than {_TIME}"
    return str(error).partition("\n")[0].rstrip(".")


def _display(table: CatalogueTable, physical: str) -> str:
    return next((c.name for c in table.columns if c.physical == physical), physical)


def _said(view: asyncpg.Record, article: str = "The") -> str:
    return f"{article} {view['kind'].lower()} {view['schema']}.{view['name']}"


def _key(view: asyncpg.Record) -> tuple[str, str]:
    return view["schema"], view["name"]


def _sql(view: asyncpg.Record) -> str:
    return qualified(view["schema"], view["name"])
