"""Materialising a recipe over a million rows, against its statement as CREATE TABLE AS."""

import asyncio
import json
import statistics
import time
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from bench.filling import Warehouse
from bench.ground import Ground, running
from bench.million import (
    COLUMNS,
    DEFINITION,
    DISTRICTS,
    DISTRICTS_DEFINITION,
    TEN_STEPS,
)
from pydantic import SecretStr

from chassis.database import Database
from chassis.settings import ServiceSettings
from contracts.envelope import new_id
from contracts.tables import TableVersion
from contracts.transform import BuildTransformation, CreateTransformation, TransformationBuilt
from recipe import Context, parse
from transform.build import Builder, Claimed
from transform.catalogue import Catalogue
from transform.column_names import ColumnNames
from transform.compiler import Compiler, compile_workers
from transform.placing import pinned_tables
from transform.session import Sessions
from warehouse import versions
from warehouse.access import as_org

TIMES = 5
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def measure(ground: Ground) -> dict[str, float]:
    """Medians of both, taken in turn; the ratio of the sums of each pair's times."""
    org_id = new_id()
    async with Warehouse.open(ground, org_id) as warehouse:
        people = await warehouse.table("people", COLUMNS, DEFINITION)
        districts = await warehouse.table("districts", DISTRICTS, DISTRICTS_DEFINITION)
    async with ground.bus("gateway") as gateway:
        wanted = CreateTransformation(
            transformation_id=new_id(), name="Made", recipe={"steps": TEN_STEPS}
        )
        saved = await gateway.ask(wanted, org_id=org_id, timeout=60)
    settings = ServiceSettings.model_validate(
        {"nats_url": ground.servers.nats_url, "database_url": ground.database_url("transform")}
    )
    database = await Database.connect(settings, "transform")
    compiler = Compiler(compile_workers())
    catalogue = Catalogue(database)
    sessions = Sessions(SecretStr("a key of the bench"))
    column_names = ColumnNames(database, sessions, compiler)
    builder = Builder(database, sessions, compiler, column_names)
    inputs = (people, districts)
    tables = pinned_tables(
        org_id, await catalogue.around(org_id, (), [version.table_id for version in inputs]), inputs
    )
    recipe, context = parse({"steps": TEN_STEPS}), Context(as_of=NOON)
    compiled = await compiler.statement(org_id, recipe, tables, context)
    plain = await asyncpg.connect(ground.servers.superuser_url)
    ctas: list[float] = []
    built: list[float] = []
    for _ in range(TIMES + 1):
        # Each begins with nothing left to write by the one before.
        await plain.execute("CHECKPOINT")
        started = time.perf_counter()
        await plain.execute(f"CREATE TABLE public.made AS {compiled.sql}")
        ctas.append(time.perf_counter() - started)
        await plain.execute("DROP TABLE public.made")
        await plain.execute("CHECKPOINT")
        started = time.perf_counter()
        version = await _build(builder, org_id, saved.id, inputs)
        built.append(time.perf_counter() - started)
        async with database.organization(org_id) as connection, as_org(connection, org_id):
            await versions.drop(connection, org_id, version.relation)
    await plain.close()
    await database.close()
    await compiler.close()
    pairs = [ours / theirs for ours, theirs in zip(built, ctas, strict=True)]
    return {
        "ratio_to_ctas": round(statistics.median(pairs[1:]), 3),
        "build_s": round(statistics.median(built[1:]), 3),
        "ctas_s": round(statistics.median(ctas[1:]), 3),
    }


async def _build(
    builder: Builder, org_id: UUID, transformation_id: UUID, inputs: tuple[TableVersion, ...]
) -> TableVersion:
    command = BuildTransformation(
        run_id=new_id(),
        step_id=new_id(),
        transformation_id=transformation_id,
        recipe_version=1,
        inputs=inputs,
        published=None,
        as_of=NOON,
        timezone="UTC",
    )
    claimed = await builder.claim(org_id, command, new_id())
    assert isinstance(claimed, Claimed)
    outcome = await builder.build(org_id, command, claimed)
    assert isinstance(outcome, TransformationBuilt), outcome
    return outcome.tables[0]


if __name__ == "__main__":
    with running("transform") as ground:
        print(json.dumps(asyncio.run(measure(ground))))
