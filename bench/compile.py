"""How long a recipe of ten steps takes to become a statement, the first time and the next."""

import asyncio
import json
import statistics
import time
from datetime import UTC, datetime
from uuid import UUID

from bench.million import COLUMNS, DISTRICTS, TEN_STEPS

from contracts.tables import Column
from recipe import Context, Table, parse
from transform.compiler import Compiler, compile_workers
from warehouse.names import data_schema

TIMES = 40
ORG = UUID(int=7)


def _table(name: str, columns: tuple[Column, ...]) -> Table:
    return Table(
        table_id=name,
        display_name=name,
        physical_name=f"source_{name}",
        schema_name=data_schema(ORG),
        relation=f"v_{name}",
        columns=columns,
    )


async def measure() -> dict[str, float]:
    """Milliseconds through the service's compiler, its process included; medians."""
    compiler = Compiler(compile_workers())
    tables = {
        t.display_name: t for t in (_table("people", COLUMNS), _table("districts", DISTRICTS))
    }
    cold: list[float] = []
    cached: list[float] = []
    for number in range(TIMES + 1):
        # Another number each time: a recipe that was never seen.
        recipe = parse({"steps": [*TEN_STEPS[:-1], {"type": "limit", "count": number + 1}]})
        for times in (cold, cached):
            now = Context(as_of=datetime.now(UTC))
            started = time.perf_counter()
            await compiler.statement(ORG, recipe, tables, now)
            times.append((time.perf_counter() - started) * 1000)
    await compiler.close()
    # The first one loads Ibis, which a service does when it starts.
    return {
        "cold_ms": round(statistics.median(cold[1:]), 2),
        "cached_ms": round(statistics.median(cached[1:]), 3),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
