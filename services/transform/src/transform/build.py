"""Building a transformation: its next version, in one transaction with the step's outcome."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.crash_points import reached
from chassis.database import Connection, Database, queries
from chassis.jobs import HOLDER_SILENCE, Stopped
from chassis.outbox import Outgoing
from chassis.telemetry import log
from contracts.envelope import Meta, derived_id, new_id
from contracts.problem import FieldProblem, Problem, ProblemError, problem
from contracts.tables import Notice, TableVersion
from contracts.transform import BuildTransformation, TransformationBuilt, TransformationFailed
from recipe import Context
from transform.checks import run_checks
from transform.column_names import ColumnNames
from transform.compiler import Compiler
from transform.domain import CatalogueTable, not_synced, organization_of
from transform.estimates import Estimates, Input, too_many
from transform.limits import Limits, PastLimit, Writer, in_time
from transform.placing import pinned_tables
from transform.recipe_json import step_ids
from transform.refusals import REFUSALS, refusal
from transform.session import Sessions
from transform.statements import Statement, Statements, fingerprint
from warehouse import versions
from warehouse.access import as_org
from warehouse.names import data_schema, qualified, version_relation

_queries = queries("transform")

Outcome = TransformationBuilt | TransformationFailed
_OUTCOMES = {"built": TransformationBuilt, "failed": TransformationFailed}


class Overtaken(Exception):
    """A newer lease has the step, or its outcome is known: what was made goes with the rollback."""


@dataclass(frozen=True)
class Claimed:
    """A step that is ours under a lease, and what its work begins with."""

    lease: int
    recipe: dict[str, object] | None
    """In its kept form; None: the transformation was deleted."""
    tables: Sequence[CatalogueTable]
    """All of the organisation's, without their columns and versions: the run brings those."""


@dataclass(frozen=True)
class _Work:
    """A statement that is ready to run."""

    given: Input
    statement: Statement
    fingerprint: str


class Builder:
    """Handles BuildTransformation; of several holders of a step only the newest commits."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        compiler: Compiler,
        column_names: ColumnNames,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._database = database
        self._sessions = sessions
        self._compiler = compiler
        self._statements = Statements(compiler)
        self._column_names = column_names
        self._limits = limits
        self.writer = Writer(database, limits)
        self._estimates = Estimates(database, sessions, compiler, limits)

    async def build_transformation(
        self, command: BuildTransformation, meta: Meta
    ) -> Sequence[Outgoing]:
        """BuildTransformation: builds, or says the known outcome again."""
        org_id = organization_of(meta)
        claimed = await self.claim(org_id, command, meta.id)
        if claimed is None:
            return ()
        if not isinstance(claimed, Claimed):
            return [_said(claimed, org_id, meta)]
        try:
            return [_said(await self.build(org_id, command, claimed), org_id, meta)]
        except Overtaken:
            log.info("build_overtaken", step_id=str(command.step_id), lease=claimed.lease)
            return ()

    async def give_up(
        self, command: BuildTransformation, meta: Meta, reason: str
    ) -> Sequence[Outgoing]:
        """The failure of a step that could not be handled; nothing of a run that was called off."""
        org_id = organization_of(meta)
        try:
            claimed = await self.claim(org_id, command, meta.id)
        except Stopped:
            return ()
        if claimed is None:
            return ()
        if isinstance(claimed, Claimed):
            gave_up = problem(500, "build_gave_up", f"The build did not succeed: {reason}").problem
            try:
                claimed = await self._fail(org_id, command, claimed.lease, gave_up)
            except Overtaken:
                return ()
        return [_said(claimed, org_id, meta)]

    async def heartbeat(self, command: BuildTransformation, meta: Meta) -> bool:
        """Note that a step is worked on; whether the work has to stop.

        It has when this attempt of the run was called off, or the step was taken over.
        """
        org_id = organization_of(meta)
        async with self._database.organization(org_id, awaits_disk=False) as connection:
            return await _queries.heartbeat(
                connection,
                step_id=command.step_id,
                run_id=command.run_id,
                attempt=command.attempt,
                holder=meta.id,
                silence=HOLDER_SILENCE,
            )

    async def cancel(self, org_id: UUID, run_id: UUID, attempt: int) -> None:
        """Mark a run as called off up to an attempt, for builds that are not delivered yet."""
        async with self._database.organization(org_id) as connection:
            await _queries.cancel_run(connection, run_id=run_id, org_id=org_id, attempt=attempt)

    async def claim(
        self, org_id: UUID, command: BuildTransformation, holder: UUID
    ) -> Claimed | Outcome | None:
        """A new lease on the step, which outdates all others; or the outcome that it has.

        `holder`: id of the command's message. None: it was asked for again, and another holds it.
        Raises Stopped when this attempt of the run was called off.
        """
        # Should it be forgotten and the step be claimed under the same lease once more: only one
        # holder's outcome is kept all the same.
        async with self._database.organization(org_id, awaits_disk=False) as connection:
            row = await _queries.claim_step(
                connection,
                step_id=command.step_id,
                org_id=org_id,
                run_id=command.run_id,
                transformation_id=command.transformation_id,
                recipe_version=command.recipe_version,
                attempt=command.attempt,
                holder=holder,
                repeated=command.repeated,
                silence=HOLDER_SILENCE,
            )
            if row["lease"] is not None:
                tables = [
                    CatalogueTable(UUID(own["table_id"]), own["kind"], own["name"], expected=())
                    for own in row["tables"]
                ]
                return Claimed(row["lease"], row["recipe"], tables)
            if row["is_cancelled"]:
                raise Stopped
            row = await _queries.step(connection, step_id=command.step_id)
        outcome = row["outcome"]
        return None if outcome is None else _OUTCOMES[outcome].model_validate(row["event"])

    async def build(self, org_id: UUID, command: BuildTransformation, claimed: Claimed) -> Outcome:
        """Do the work of a step under a lease; raises Overtaken when a newer one was given."""
        lease = claimed.lease
        work: _Work | None = None
        try:
            async with in_time(self._limits):
                work = await self._compile(org_id, command, claimed)
                published = command.published
                unchanged = published is not None and published.fingerprint == work.fingerprint
                if published is not None and unchanged and not command.force:
                    return await self._keep(org_id, command, lease, published, work)
                return await self._materialize(org_id, command, lease, work)
        except ProblemError as error:
            why = error.problem
        except REFUSALS as error:
            why = refusal(error).problem
        except PastLimit as past:
            why = await self._past_limit(org_id, past, work)
        return await self._fail(org_id, command, lease, why)

    async def _past_limit(self, org_id: UUID, past: PastLimit, work: _Work | None) -> Problem:
        """What happened, and the step that is likely at fault."""
        said = f"{past.said} Nothing was changed."
        suspect = await self._estimates.suspect(org_id, work.given) if work else None
        if work is None or suspect is None:
            advice = "Filter the rows in an earlier step, or make the result in several tables."
            return problem(422, past.code, f"{said} {advice}").problem
        index, described = suspect
        step_id = step_ids(work.given.recipe)[index]
        at = FieldProblem(field="", code=past.code, message=described, step=index, step_id=step_id)
        return problem(422, past.code, f"{said} {described}", (at,)).problem

    async def _compile(self, org_id: UUID, command: BuildTransformation, claimed: Claimed) -> _Work:
        """The statement over exactly the inputs; raises problems for a recipe that misfits them."""
        if claimed.recipe is None:
            raise problem(
                422, "transformation_deleted", "The transformation was deleted while the run ran."
            )
        tables = claimed.tables
        given = {version.table_id for version in command.inputs}
        names = {each.table for each in await self._compiler.mentions(org_id, claimed.recipe)}
        missing = [t for t in tables if t.physical_name in names and t.table_id not in given]
        if missing:
            raise not_synced(missing, 422)
        pinned = pinned_tables(org_id, tables, command.inputs)
        context = Context(as_of=command.as_of, timezone=command.timezone)
        named = await self._column_names.read(
            org_id, claimed.recipe, pinned, context, timeout=self.writer.timeout
        )
        statement = await self._statements.over(org_id, named.recipe, pinned, context)
        rows = {version.table_id: version.rows for version in command.inputs}
        given = Input(named.recipe, pinned, context, rows)
        return _Work(given, statement, fingerprint(statement, command.inputs))

    async def _materialize(
        self, org_id: UUID, command: BuildTransformation, lease: int, work: _Work
    ) -> Outcome:
        version_id = new_id()
        relation = version_relation(version_id)
        target = qualified(data_schema(org_id), relation)
        began = time.perf_counter()
        async with self._database.organization(org_id) as connection:
            pid = await self._sessions.prepare(
                connection, org_id, command.timezone, timeout=self.writer.timeout
            )
            async with as_org(connection, org_id):
                rows = await self.writer.write(connection, pid, target, work.statement.sql)
                size = await versions.size(connection, org_id, relation)
                self.writer.check_size(size)
                await versions.analyze(connection, org_id, relation)
                warnings = await run_checks(connection, work.statement.checks)
            if many := too_many(rows, work.given.rows.values()):
                warnings = (*warnings, many)
            version = TableVersion(
                table_id=command.transformation_id,
                version_id=version_id,
                relation=relation,
                columns=work.statement.columns,
                rows=rows,
                bytes=size,
                fingerprint=work.fingerprint,
            )
            reached("build.written")
            built = _built(command, lease, version, work, warnings, unchanged=False)
            await _finish(connection, lease, built)
        taken = round(time.perf_counter() - began, 4)
        log.info(
            "transformation_built", step_id=str(command.step_id), rows=version.rows, seconds=taken
        )
        return built

    async def _keep(
        self,
        org_id: UUID,
        command: BuildTransformation,
        lease: int,
        published: TableVersion,
        work: _Work,
    ) -> Outcome:
        # What failed was never published; what was warned of still is as it was.
        warning = [check for check in work.statement.checks if check.severity == "warn"]
        async with self._database.organization(org_id) as connection:
            warnings: tuple[Notice, ...] = ()
            if warning:
                await self._sessions.prepare(
                    connection, org_id, command.timezone, timeout=self.writer.timeout
                )
                async with as_org(connection, org_id):
                    warnings = await run_checks(connection, warning)
            kept = _built(command, lease, published, work, warnings, unchanged=True)
            await _finish(connection, lease, kept)
        log.info("transformation_unchanged", step_id=str(command.step_id))
        return kept

    async def _fail(
        self, org_id: UUID, command: BuildTransformation, lease: int, why: Problem
    ) -> Outcome:
        failed = TransformationFailed(
            run_id=command.run_id, step_id=command.step_id, lease=lease, problem=why
        )
        async with self._database.organization(org_id) as connection:
            await _finish(connection, lease, failed)
        log.info("transformation_failed", step_id=str(command.step_id), problem=why.detail)
        return failed


async def _finish(connection: Connection, lease: int, outcome: Outcome) -> None:
    """Commit the outcome with the caller's transaction; raises Overtaken for an old lease."""
    finished = await _queries.finish_step(
        connection,
        step_id=outcome.step_id,
        lease=lease,
        outcome="built" if isinstance(outcome, TransformationBuilt) else "failed",
        event=outcome.model_dump(mode="json"),
    )
    if not finished:
        raise Overtaken


def _built(
    command: BuildTransformation,
    lease: int,
    version: TableVersion,
    work: _Work,
    warnings: tuple[Notice, ...],
    *,
    unchanged: bool,
) -> TransformationBuilt:
    return TransformationBuilt(
        run_id=command.run_id,
        step_id=command.step_id,
        lease=lease,
        tables=(version,),
        unchanged=unchanged,
        sql=work.statement.readable,
        warnings=warnings,
    )


def _said(outcome: Outcome, org_id: UUID, meta: Meta) -> Outgoing:
    # Whoever asks again has not heard the answer: it must not be dropped as a repeat of that.
    message_id = derived_id(outcome.step_id, outcome.lease, meta.id)
    return Outgoing(outcome, org_id, actor=meta.actor, id=message_id)
