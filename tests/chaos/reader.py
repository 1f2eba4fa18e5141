"""A person's BI tool: looks at all tables of a pipeline in one statement, again and again."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from warehouse.names import live_name, live_schema, qualified, quoted, reader_role

from .organization import Organization
from .truth import PIPELINES, TABLES, own

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
)
_LOGIN = "bi_of_chaos"


@dataclass
class Seen:
    """What readers have seen."""

    looks: int = 0
    lost_connections: int = 0
    anomalies: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, what: str) -> None:
        """Something that no reader may see."""
        self.kinds[kind] += 1
        self.anomalies.append(f"{kind}: {what}")


@dataclass(frozen=True)
class Look:
    """One table in one look."""

    rows: int
    generations: tuple[int, ...]
    digest: str


def statement(organization: Organization, tables: tuple[str, ...]) -> str:
    """One statement over all tables: rows, generations and a digest of each."""
    parts: list[str] = []
    for number, name in enumerate(tables):
        table = TABLES[name]
        kind = "transform" if table.reads else "source"
        live = live_name(kind, UUID(organization.ids[name]))
        relation = qualified(live_schema(UUID(organization.id)), live)
        generations = " || ".join(f"array_agg(DISTINCT {quoted(g)})" for g in table.generations)
        cells = ", ".join(quoted(column) for column in table.columns)
        parts.append(
            f"SELECT {number} AS number, count(*) AS rows, {generations} AS generations, "
            f"md5(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\")) AS digest "
            f"FROM (SELECT *, concat_ws('|', {cells}) AS line FROM {relation}) AS shown"
        )
    return " UNION ALL ".join(parts) + " ORDER BY number"


async def look(
    connection: asyncpg.Connection, organization: Organization, tables: tuple[str, ...]
) -> dict[str, Look]:
    """What every table shows now."""
    rows = await connection.fetch(statement(organization, tables), timeout=20)
    return {
        name: Look(row["rows"], tuple(sorted(set(row["generations"] or ()))), row["digest"] or "")
        for name, row in zip(tables, rows, strict=True)
    }


def judge(pipeline: str, found: dict[str, Look]) -> list[tuple[str, str]]:
    """What is wrong with a look: (kind, what)."""
    wrong: list[tuple[str, str]] = []
    for name, seen in found.items():
        if seen.rows == 0:
            wrong.append(("empty", name))
        elif len(seen.generations) != 1:
            wrong.append(("mixed", f"{name} is of generations {seen.generations}"))
        elif seen.digest != TABLES[name].digest(seen.generations[0]):
            wrong.append(("wrong", f"{name} is not what generation {seen.generations[0]} gives"))
    if wrong:
        return wrong
    now = {name: seen.generations[0] for name, seen in found.items()}
    together = {now[name] for name in own(pipeline)}
    if len(together) > 1:
        wrong.append(("mixed", f"{now}"))
    # What others publish too may be newer, never older.
    if together and any(generation < max(together) for generation in now.values()):
        wrong.append(("mixed", f"{now}"))
    return wrong


class Reader:
    """Polls one organisation's pipelines with the rights of its readers, until cancelled."""

    def __init__(self, organization: Organization, superuser_url: str, password: str) -> None:
        self._own = organization
        self._superuser_url = superuser_url
        self._password = password
        self._login = f"{_LOGIN}_{UUID(organization.id).hex[-12:]}"
        self._newest: dict[str, int] = {}

    async def prepare(self) -> None:
        """A login of its own, as an operator would give it to a BI tool."""
        connection = await asyncpg.connect(self._superuser_url)
        try:
            role = reader_role(UUID(self._own.id))
            await connection.execute(
                f"CREATE ROLE {quoted(self._login)} LOGIN PASSWORD '{self._password}'"
            )
            await connection.execute(f"GRANT {quoted(role)} TO {quoted(self._login)}")
            database = await connection.fetchval("SELECT current_database()")
            await connection.execute(
                f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(self._login)}"
            )
        finally:
            await connection.close()

    async def run(self, seen: Seen) -> None:
        """Look until cancelled; a database that is away is waited for and held against nobody."""
        rest = self._superuser_url.partition("@")[2]
        url = f"postgresql://{self._login}:{self._password}@{rest}"
        while True:
            try:
                connection = await asyncpg.connect(url, timeout=10)
                try:
                    await self._poll(connection, seen)
                finally:
                    connection.terminate()
            except AWAY:
                seen.lost_connections += 1
                await asyncio.sleep(0.2)

    async def _poll(self, connection: asyncpg.Connection, seen: Seen) -> None:
        while True:
            for pipeline, tables in PIPELINES.items():
                try:
                    found = await look(connection, self._own, tables)
                except AWAY:
                    raise
                except asyncpg.PostgresError as error:
                    seen.note("error", f"{pipeline}: {error!r}")
                    continue
                seen.looks += 1
                for kind, what in judge(pipeline, found):
                    seen.note(kind, f"{self._own.name}, {pipeline}: {what}")
                self._never_back(found, seen)
                await asyncio.sleep(0.25)

    def _never_back(self, found: dict[str, Look], seen: Seen) -> None:
        for name, shown in found.items():
            newest = max(shown.generations, default=0)
            if newest < self._newest.get(name, 0):
                seen.note("back", f"{self._own.name}: {name} went back to generation {newest}")
            self._newest[name] = newest
