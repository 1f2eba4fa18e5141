"""Publishing a run: every live name moves to its new version in one transaction, or none does."""

import asyncio
import random
import time
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from chassis.crash_points import reached
from chassis.database import Connection, Database, affected, collect, queries
from chassis.outbox import Outbox, Outgoing
from chassis.telemetry import log
from contracts.envelope import Meta, derived_id
from contracts.problem import ProblemError, problem
from contracts.streams import EVT, Stream
from contracts.tables import TableVersion
from contracts.transform import (
    AbortPublish,
    PublishAborted,
    PublishFailed,
    PublishRun,
    RunPublished,
)
from transform.catalogue import read_tables
from transform.domain import CatalogueTable, organization_of
from transform.live_views import lock_holders, replace_views
from transform.recipes import Recipes
from transform.sweeping import Sweeper
from warehouse.access import as_org

_queries = queries("transform")

_LOCK_TIMEOUT = "200ms"
"""Below deadlock_timeout: in a deadlock with a reader it is the publish that gives way."""

_OUTCOMES = {"published": RunPublished, "aborted": PublishAborted, "failed": PublishFailed}
Decision = RunPublished | PublishAborted | PublishFailed


class Publisher:
    """Decides, once for each attempt of a run, whether it is published."""

    def __init__(
        self,
        database: Database,
        recipes: Recipes,
        sweeper: Sweeper,
        outbox: Outbox,
        *,
        patience: float,
    ) -> None:
        """`patience`: seconds, as in Settings."""
        self._database = database
        self._recipes = recipes
        self._sweeper = sweeper
        self._outbox = outbox
        self._patience = patience

    async def publish_run(self, command: PublishRun, meta: Meta) -> Sequence[Outgoing]:
        """PublishRun: a run that was decided before gets the same answer again."""
        org_id = organization_of(meta)
        try:
            decision, altered = await self._publish(org_id, command)
        except ProblemError as error:
            failed = PublishFailed(
                run_id=command.run_id, problem=error.problem, attempt=command.attempt
            )
            decision, altered = await self._decide(org_id, "failed", failed), ()
            log.info("publish_failed", run_id=str(command.run_id), problem=error.problem.detail)
        if isinstance(decision, RunPublished):
            await self._recipes.refresh(org_id, altered)
            self._sweeper.look_soon(org_id)
        return [_said(decision, org_id, meta)]

    async def abort_publish(self, command: AbortPublish, meta: Meta) -> Sequence[Outgoing]:
        """AbortPublish: holds if nothing was decided yet; says what is the truth."""
        org_id = organization_of(meta)
        aborted = PublishAborted(run_id=command.run_id, attempt=command.attempt)
        decision = await self._decide(org_id, "aborted", aborted)
        return [_said(decision, org_id, meta)]

    async def give_up(
        self, command: PublishRun | AbortPublish, meta: Meta, reason: str
    ) -> Sequence[Outgoing]:
        """What is said of a command that could not be handled."""
        org_id = organization_of(meta)
        why = problem(500, "publish_gave_up", f"Publishing did not succeed: {reason}").problem
        failed = PublishFailed(run_id=command.run_id, problem=why, attempt=command.attempt)
        return [_said(await self._decide(org_id, "failed", failed), org_id, meta)]

    async def stream_lost(self, connection: Connection, stream: Stream) -> None:
        """Announce once more what was published lately: RunPublished has followers besides the run."""
        if stream != EVT:
            return
        rows = await collect(_queries.published_lately(connection))
        events = ((RunPublished.model_validate(row["event"]), row["org_id"]) for row in rows)
        await self._outbox.put(connection, [Outgoing(event, org_id) for event, org_id in events])

    async def _publish(self, org_id: UUID, command: PublishRun) -> tuple[Decision, Sequence[UUID]]:
        """The decision, and the tables that have other columns now.

        Tries until the locks are free; raises a problem when they are not for too long.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            try:
                return await self._attempt(org_id, command)
            except asyncpg.LockNotAvailableError as error:
                if clock() > deadline:
                    raise await self._locked(org_id, command) from error
            # Others that wait for the same tables must not come back in step.
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def _attempt(self, org_id: UUID, command: PublishRun) -> tuple[Decision, Sequence[UUID]]:
        wanted = RunPublished(
            run_id=command.run_id,
            table_ids=tuple(table.table_id for table in command.tables),
            attempt=command.attempt,
        )
        reached("publish.begun")
        began = time.perf_counter()
        async with self._database.organization(org_id) as connection:
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            decision = await _decide(connection, org_id, "published", wanted)
            if decision is not wanted:  # decided before, perhaps in the same words
                return decision, ()
            tables = await _locked_tables(connection, command)
            changed = [
                (tables[version.table_id], version)
                for version in command.tables
                if not tables[version.table_id].shows(version)
            ]
            if changed:
                async with as_org(connection, org_id):
                    await replace_views(connection, org_id, changed)
            for _, version in changed:
                await _record(connection, org_id, version)
            reached("publish.moved")
        reached("publish.committed")
        taken = round(time.perf_counter() - began, 4)
        log.info("run_published", run_id=str(command.run_id), tables=len(changed), seconds=taken)
        altered = [table.table_id for table, new in changed if table.columns != new.columns]
        return wanted, altered

    async def _decide(self, org_id: UUID, outcome: str, wanted: Decision) -> Decision:
        async with self._database.organization(org_id) as connection:
            return await _decide(connection, org_id, outcome, wanted)

    async def _locked(self, org_id: UUID, command: PublishRun) -> ProblemError:
        async with self._database.organization(org_id) as connection:
            tables = await read_tables(connection, [table.table_id for table in command.tables])
            async with as_org(connection, org_id):
                holders = await lock_holders(connection, org_id, tables)
        names = ", ".join(f"'{table.name}'" for table in tables)
        whom = " and ".join(holders) if holders else "somebody"
        return problem(
            409,
            "tables_locked",
            f"{names} could not be published in {self._patience:.0f} s: {whom} holds a lock. "
            "End that session, then run again.",
        )


async def _decide(connection: Connection, org_id: UUID, outcome: str, wanted: Decision) -> Decision:
    """Write the attempt's decision unless there is one; what stands then is the truth."""
    status = await _queries.decide(
        connection,
        run_id=wanted.run_id,
        attempt=wanted.attempt,
        org_id=org_id,
        outcome=outcome,
        event=wanted.model_dump(mode="json"),
    )
    if affected(status):
        return wanted
    row = await _queries.decision(connection, run_id=wanted.run_id, attempt=wanted.attempt)
    return _OUTCOMES[row["outcome"]].model_validate(row["event"])


async def _locked_tables(connection: Connection, command: PublishRun) -> dict[UUID, CatalogueTable]:
    ids = [version.table_id for version in command.tables]
    await collect(_queries.lock_tables(connection, table_ids=ids))
    tables = {table.table_id: table for table in await read_tables(connection, ids)}
    for table_id in ids:
        if table_id not in tables:
            raise problem(
                409,
                "table_deleted",
                f"A table of this run ({table_id}) was deleted while it ran. Nothing was published.",
            )
    return tables


async def _record(connection: Connection, org_id: UUID, version: TableVersion) -> None:
    await _queries.supersede(connection, table_id=version.table_id, version_id=version.version_id)
    await _queries.put_version(
        connection,
        version_id=version.version_id,
        org_id=org_id,
        table_id=version.table_id,
        relation=version.relation,
        columns=[column.model_dump(mode="json") for column in version.columns],
        rows=version.rows,
        bytes=version.bytes,
        fingerprint=version.fingerprint,
        nullable=version.nullable,
    )
    await _queries.point_at(connection, table_id=version.table_id, version_id=version.version_id)


def _said(decision: Decision, org_id: UUID, meta: Meta) -> Outgoing:
    # Whoever asks again has not heard the answer: it must not be dropped as a repeat of that.
    message_id = derived_id(decision.run_id, decision.attempt, "publication", meta.id)
    return Outgoing(decision, org_id, actor=meta.actor, id=message_id)
