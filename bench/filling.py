"""An organisation's warehouse for benches and case runners, filled as the services fill it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import asyncpg
from bench.ground import Ground
from nats.aio.msg import Msg

from chassis.bus import Bus
from contracts.envelope import from_body, new_id
from contracts.message import Event, lookup
from contracts.tables import Column, TableVersion
from contracts.transform import (
    DeclareTable,
    DropTable,
    EnsureOrganization,
    PublishFailed,
    PublishRun,
    RunPublished,
)
from stack.users import MIGRATOR
from warehouse import names
from warehouse.access import as_org


class Warehouse:
    """An organisation's warehouse, filled as ingest and the orchestrator fill it."""

    def __init__(
        self, org_id: UUID, ingest: Bus, orchestrator: Bus, database: asyncpg.Connection
    ) -> None:
        self.org_id = org_id
        self._ingest = ingest
        self._orchestrator = orchestrator
        self._database = database
        self._published: dict[UUID, asyncio.Future[Event]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, ground: Ground, org_id: UUID) -> "AsyncIterator[Warehouse]":
        """Provision it, with connections as the two services."""
        async with AsyncExitStack() as stack:
            ingest = await stack.enter_async_context(ground.bus("ingest"))
            orchestrator = await stack.enter_async_context(ground.bus("orchestrator"))
            listener = await stack.enter_async_context(ground.bus(MIGRATOR))
            database = await asyncpg.connect(ground.database_url("ingest"))
            stack.push_async_callback(database.close)
            warehouse = cls(org_id, ingest, orchestrator, database)
            await ingest.ask(EnsureOrganization(), org_id=org_id)
            await listener.watch(f"evt.{org_id.hex}.transform.>", warehouse.hear)
            yield warehouse

    async def hear(self, message: Msg) -> None:
        """An event of transform."""
        kind = lookup(message.header["ce-type"] if message.header else "")
        if kind in (RunPublished, PublishFailed):
            event = from_body(kind, message.data)
            if waiting := self._published.get(event.run_id):
                waiting.set_result(event)

    async def table(
        self,
        name: str,
        columns: Sequence[Column],
        definition: str,
        rows: Sequence[Sequence[object]] = (),
    ) -> TableVersion:
        """A published table; `definition` follows CREATE TABLE, `rows` are copied into it."""
        table_id, version_id = new_id(), new_id()
        declared = DeclareTable(
            table_id=table_id,
            table_kind="source",
            display_name=name,
            expected=tuple(columns),
        )
        await self._ingest.ask(declared, org_id=self.org_id)
        relation = names.version_relation(version_id)
        schema = names.data_schema(self.org_id)
        async with self._database.transaction(), as_org(self._database, self.org_id):
            target = names.qualified(schema, relation)
            await self._database.execute(f"CREATE TABLE {target} {definition}")
            if rows:
                await self._database.copy_records_to_table(
                    relation,
                    schema_name=schema,
                    columns=[column.physical for column in columns],
                    records=rows,
                )
            await self._database.execute(f"ANALYZE {target}")
            count = await self._database.fetchval(f"SELECT count(*) FROM {target}")
        version = TableVersion(
            table_id=table_id,
            version_id=version_id,
            relation=relation,
            columns=tuple(columns),
            rows=int(count or 0),
            bytes=0,
            fingerprint=version_id.hex,
        )
        await self._publish(version)
        return version

    async def drop(self, table_id: UUID) -> None:
        """Forget a table."""
        await self._ingest.ask(DropTable(table_id=table_id), org_id=self.org_id)

    async def _publish(self, *versions: TableVersion) -> None:
        command = PublishRun(run_id=new_id(), step_id=new_id(), tables=versions)
        self._published[command.run_id] = asyncio.get_running_loop().create_future()
        await self._orchestrator.send(command, org_id=self.org_id)
        async with asyncio.timeout(60):
            event = await self._published[command.run_id]
        del self._published[command.run_id]
        if isinstance(event, PublishFailed):
            raise RuntimeError(event.problem.detail)  # noqa: TRY004 - no type of ours is wrong
