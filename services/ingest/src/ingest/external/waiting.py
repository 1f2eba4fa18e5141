"""Syncs that wait for another system: nobody holds them, a row remembers them.

A step that has to wait is written down and its command acknowledged. Whichever replica sees first
that an announcement came, or that the time is over, sends the command again, in one transaction
with the mark that says so.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from chassis.database import AWAY, Database, affected, collect, queries
from chassis.outbox import Outbox, Outgoing
from chassis.telemetry import carry, log
from contracts.envelope import derived_id
from contracts.ingest import SyncSource

_queries = queries("ingest.external")

_KEPT_DAYS = 14
"""As long as the stream holds what was told; after that no repeat of it can come."""
_KEPT_MOST = 10_000
"""Announcements of one organisation."""
_TIDY_EVERY = 3600.0


@dataclass(frozen=True)
class Wait:
    """How long a step has waited, and whether it may go on doing so."""

    since: datetime
    deadline: datetime
    is_over: bool


class Waiting:
    """Lays steps down and takes them up again."""

    def __init__(self, database: Database, outbox: Outbox, every: float) -> None:
        """`every`: seconds between two looks for what is due."""
        self._database = database
        self._outbox = outbox
        self._every = every
        self._woken = asyncio.Event()

    async def lay_down(
        self,
        org_id: UUID,
        command: SyncSource,
        actor: str,
        table: str,
        after_seq: int,
        patience: timedelta,
    ) -> Wait:
        """Remember a step that was claimed; unless its time is over, it is sent again by itself.

        `after_seq`: of the newest announcement that does not end the wait.
        """
        async with self._database.organization(org_id) as connection:
            row = await _queries.wait(
                connection,
                step_id=command.step_id,
                org_id=org_id,
                source_id=command.source_id,
                run_id=command.run_id,
                table_name=table,
                after_seq=after_seq,
                command=command.model_dump(mode="json"),
                actor=actor,
                trace=carry(),
                seconds=patience.total_seconds(),
            )
        return Wait(**row)

    def look(self) -> None:
        """Look now for what is due."""
        self._woken.set()

    async def run(self) -> None:
        """Take up what is due, until cancelled."""
        tidied = monotonic() - _TIDY_EVERY
        while True:
            try:
                while await self._resume():
                    pass
                if monotonic() - tidied >= _TIDY_EVERY:
                    tidied = monotonic()
                    await self.tidy()
            except AWAY as error:
                log.warning("waiting_not_read", error=str(error) or repr(error))
            try:
                # Not wait_for: Python 3.11's loses a cancellation that meets a wake-up.
                async with asyncio.timeout(self._every):
                    await self._woken.wait()
            except TimeoutError:
                continue
            self._woken.clear()

    async def _resume(self) -> int:
        """Send what is due again; how much there was."""
        async with self._database.system() as connection:
            await _queries.forget_ended(connection)
            rows = await collect(_queries.due(connection))
            if not rows:
                return 0
            await self._outbox.put(
                connection,
                (
                    Outgoing(
                        # It takes up what it held itself.
                        SyncSource.model_validate(row["command"] | {"repeated": False}),
                        row["org_id"],
                        actor=row["actor"],
                        # A step that waits again has another lease by then.
                        id=derived_id(row["step_id"], "resumed", row["lease"]),
                        trace=row["trace"],
                    )
                    for row in rows
                ),
            )
            await _queries.resume(connection, step_ids=[row["step_id"] for row in rows])
        self._outbox.wake()
        log.info("waits_ended", steps=[str(row["step_id"]) for row in rows])
        return len(rows)

    async def tidy(self) -> None:
        """Forget announcements that nobody needs any more, of all organisations."""
        async with self._database.system() as connection:
            gone = await _queries.forget_announcements(connection, days=_KEPT_DAYS, most=_KEPT_MOST)
        if affected(gone):
            log.info("announcements_forgotten", count=affected(gone))
