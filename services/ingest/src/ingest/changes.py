"""Changes of sources in PostgreSQL: seen again, decided, settled; each number is a change's for good."""

from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg

from chassis.database import Connection, Database, collect, queries
from chassis.paging import after, cursor
from contracts.drift import ChangeDetail, ChangeStatus, SchemaChange
from contracts.ingest import ColumnHistory, ListSchemaChanges, SchemaChangeList, SyncSource
from contracts.problem import ProblemError, not_found, problem
from ingest.drift import Finding, is_same

_queries = queries("ingest")

Judge = Callable[[Finding, ChangeStatus | None], ChangeStatus]
"""What becomes of a finding, from what its change is so far; None: nobody has seen it before."""

_DETAIL = set(ChangeDetail.model_fields)


class Changes:
    """What ingest knows of the changes of all organisations' sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self,
        org_id: UUID,
        command: SyncSource,
        shape: str,
        findings: Sequence[Finding],
        percent: int,
        judge: Judge,
    ) -> tuple[SchemaChange, ...]:
        """Old to new: findings that are known are seen again, others begin, all else is settled.

        `shape` is remembered for the version that the step loads. None for a source that is gone.
        """
        source_id = command.source_id
        # The step's outcome, which awaits the disk, comes after: until then all is done again.
        async with self._database.organization(org_id, awaits_disk=False) as connection:
            await _queries.note_shape(connection, step_id=command.step_id, shape=shape)
            newest = await _queries.lock_changes(connection, source_id=source_id)
            if newest is None:
                return ()
            rows = await collect(_queries.open_changes(connection, source_id=source_id))
            known = [_change(row) for row in rows]
            kept: list[int] = []
            for finding in findings:
                found = (one for one in known if is_same(one, finding, percent))
                before = next(found, None)
                if before is None:
                    newest += 1
                    await self._begin(connection, org_id, command, newest, finding, judge)
                    kept.append(newest)
                else:
                    await self._see_again(connection, command, before, finding, judge)
                    kept.append(before.number)
            await _queries.settle_changes(connection, source_id=source_id, still=kept)
            rows = await collect(_queries.open_changes(connection, source_id=source_id))
        return tuple(_change(row) for row in rows)

    async def _begin(
        self,
        connection: Connection,
        org_id: UUID,
        command: SyncSource,
        number: int,
        finding: Finding,
        judge: Judge,
    ) -> None:
        await _queries.insert_change(
            connection,
            source_id=command.source_id,
            number=number,
            org_id=org_id,
            table_id=finding.table_id,
            table_name=finding.table_name,
            kind=finding.kind,
            status=judge(finding, None),
            detail=finding.detail.model_dump(mode="json"),
            run_id=command.run_id,
        )

    async def _see_again(
        self,
        connection: Connection,
        command: SyncSource,
        before: SchemaChange,
        finding: Finding,
        judge: Judge,
    ) -> None:
        detail = finding.detail
        if before.status in ("accepted", "rejected"):
            # The word was on so many rows: it is not to wander with what comes later.
            said = {"old_rows": before.old_rows, "new_rows": before.new_rows}
            detail = detail.model_copy(update=said)
        await _queries.see_change(
            connection,
            source_id=command.source_id,
            number=before.number,
            status=judge(finding, before.status),
            detail=detail.model_dump(mode="json"),
            run_id=command.run_id,
        )

    async def shape_of(self, org_id: UUID, source_id: UUID, version_id: UUID) -> str | None:
        """The shape with which a version was loaded; None when nobody remembers."""
        async with self._database.organization(org_id) as connection:
            return await _queries.shape_of(connection, source_id=source_id, version_id=version_id)

    async def list(self, org_id: UUID, request: ListSchemaChanges) -> SchemaChangeList:
        """A page of a source's changes, the newest first; none for a source that is not there."""
        (before,) = after(request.cursor, int)
        async with self._database.organization(org_id) as connection:
            rows = await collect(
                _queries.list_changes(
                    connection,
                    source_id=request.source_id,
                    before=before,
                    page=request.limit + 1,
                )
            )
        page = tuple(_change(row) for row in rows[: request.limit])
        more = len(rows) > len(page)
        return SchemaChangeList(
            changes=page, next_cursor=cursor(str(page[-1].number)) if more else None
        )

    async def decide(
        self, org_id: UUID, source_id: UUID, number: int, wanted: ChangeStatus, actor: str
    ) -> SchemaChange:
        """Accept or reject a change; the same word again changes nothing.

        What was rejected may be accepted later. Raises problems 404, 409 `settled` and 409
        `decided`.
        """
        async with self._database.organization(org_id) as connection:
            row = await _queries.lock_change(connection, source_id=source_id, number=number)
            if row is None:
                raise not_found("change", number)
            change = _change(row)
            if change.status == wanted:
                return change
            _require_open(change)
            await _queries.decide_change(
                connection, source_id=source_id, number=number, status=wanted, actor=actor
            )
            row = await _queries.lock_change(connection, source_id=source_id, number=number)
        return _change(row)

    async def history(self, org_id: UUID, source_id: UUID) -> ColumnHistory:
        """Since when the columns of a source's own table are there; raises a 404 problem."""
        async with self._database.organization(org_id) as connection:
            source = await _queries.get_source(connection, source_id=source_id)
            if source is None:
                raise not_found("source", source_id)
            rows = await collect(_queries.added_columns(connection, source_id=source_id))
        added = {row["name"]: row["since"] for row in rows}
        return ColumnHistory(since=source["created_at"], added=added)


def _require_open(change: SchemaChange) -> None:
    """Raise the 409 problem of a change that waits for nobody."""
    said = {
        "taken": "was taken by the source's policy",
        "superseded": "is out of date: the source says something else now",
        "accepted": "was accepted",
        "rejected": "was rejected",
    }
    if not change.is_open or change.status in ("taken", "superseded"):
        raise _conflict("settled", change, f"{said.get(change.status, 'is settled')}.")
    if change.status == "accepted":
        raise _conflict(
            "decided",
            change,
            "was accepted already, and the next sync may be under way. To keep the columns, mend "
            "the source.",
        )


def _conflict(code: str, change: SchemaChange, why: str) -> ProblemError:
    return problem(409, code, f"Change {change.number} {why}")


def _change(row: asyncpg.Record) -> SchemaChange:
    detail = {key: value for key, value in row["detail"].items() if key in _DETAIL}
    return SchemaChange.model_validate({**row, **detail})
