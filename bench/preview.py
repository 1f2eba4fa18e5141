"""A page of a table of a million rows through the gateway, against its statement by asyncpg."""

import asyncio
import json
import statistics
import time
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
from bench.filling import Warehouse
from bench.ground import Ground, running, signed_up
from bench.million import COLUMNS, DEFINITION

from contracts.tables import TableVersion
from recipe import Context, Table, compile_recipe, parse
from recipe.items import SortItem
from recipe.statement import page
from warehouse.names import data_schema

TIMES = 200
SORTED_TIMES = 12
PAGE = 100
_IN_STORED_ORDER = "SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0"


def _statement(org_id: UUID, version: TableVersion, sort: list[SortItem]) -> str:
    """The same SQL as transform's."""
    table = Table(
        table_id=version.table_id.hex,
        display_name="people",
        physical_name="people",
        schema_name=data_schema(org_id),
        relation=version.relation,
        columns=COLUMNS,
    )
    recipe = parse({"steps": [{"type": "source", "table": "people"}]})
    compiled = compile_recipe(recipe, {"people": table}, Context(as_of=datetime.now(UTC)))
    return page(compiled, sort, stored=True)


async def _compare(
    client: httpx.AsyncClient,
    plain: asyncpg.Connection,
    statement: str,
    params: dict[str, str],
    times: int,
) -> tuple[float, float]:
    """Medians in milliseconds, HTTP and SQL, of pages taken in turn, each page another one."""
    over_http: list[float] = []
    by_sql: list[float] = []
    for number in range(times + 5):
        offset = number * PAGE
        started = time.perf_counter()
        answer = await client.get(
            "/warehouse/tables/people/preview",
            params=params | {"limit": str(PAGE), "offset": str(offset)},
        )
        over_http.append((time.perf_counter() - started) * 1000)
        shown = answer.raise_for_status().json()["rows"]
        started = time.perf_counter()
        rows = await plain.fetch(statement, PAGE, offset)
        by_sql.append((time.perf_counter() - started) * 1000)
        assert [row["id"] for row in shown] == [row["id"] for row in rows]
    return statistics.median(over_http[5:]), statistics.median(by_sql[5:])


async def measure(ground: Ground) -> dict[str, float]:
    """Pages as they come, and pages sorted by a column."""
    async with signed_up(ground) as (client, org_id):
        async with Warehouse.open(ground, org_id) as warehouse:
            version = await warehouse.table("people", COLUMNS, DEFINITION)
        plain = await asyncpg.connect(ground.servers.superuser_url)
        await plain.execute(_IN_STORED_ORDER)
        statement = _statement(org_id, version, [])
        http_ms, sql_ms = await _compare(client, plain, statement, {}, TIMES)
        await plain.execute("RESET ALL")
        statement = _statement(org_id, version, [SortItem(column="age", descending=True)])
        sorted_http_ms, sorted_sql_ms = await _compare(
            client, plain, statement, {"sort": "-age"}, SORTED_TIMES
        )
        await plain.close()
    return {
        "extra_p50_ms": round(http_ms - sql_ms, 2),
        "http_p50_ms": round(http_ms, 2),
        "sql_p50_ms": round(sql_ms, 2),
        "sorted_extra_p50_ms": round(sorted_http_ms - sorted_sql_ms, 2),
        "sorted_sql_p50_ms": round(sorted_sql_ms, 2),
    }


if __name__ == "__main__":
    with running("auth", "transform", "gateway") as ground:
        print(json.dumps(asyncio.run(measure(ground))))
