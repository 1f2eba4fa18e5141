"""Commands of runs that were accepted and that no run shows yet: sent again until one does.

They are stored, so this changes nothing while the bus keeps its store: a repeat under the same id is
dropped there. Should the store be lost, nobody else knows of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.bus import Bus
from chassis.telemetry import log
from contracts.message import Command
from contracts.orchestrator import GetRun, Run
from contracts.problem import ProblemError
from contracts.streams import CMD

_EVERY = 5.0
_LONGEST = 0.9 * CMD.duplicate_window
"""Seconds; after that the stream would take a repeat for a new message."""
_MOST = 1000


@dataclass(frozen=True)
class Sent:
    """A command that was stored, and how a run shows that it was handled."""

    command: Command
    id: UUID
    org_id: UUID
    actor: str
    run_id: UUID
    is_shown: Callable[[Run], bool]


class Unconfirmed:
    """Those of one process; a thousand, then the oldest go."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._sent: OrderedDict[UUID, tuple[Sent, float]] = OrderedDict()

    def keep(self, sent: Sent) -> None:
        """Look after a command until a run shows it."""
        self._sent[sent.id] = (sent, asyncio.get_running_loop().time())
        if len(self._sent) > _MOST:
            self._sent.popitem(last=False)

    @property
    def waiting(self) -> int:
        """How many no run shows yet."""
        return len(self._sent)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            for sent, since in list(self._sent.values()):
                try:
                    await self._look_after(sent, since)
                except ProblemError as error:
                    # Whether it was handled is not known, or it cannot be stored: next time.
                    log.debug("command_unconfirmed", id=str(sent.id), reason=error.problem.code)
                except Exception:
                    log.exception("command_unconfirmed", id=str(sent.id))

    async def _look_after(self, sent: Sent, since: float) -> None:
        run = await self._find(sent)
        if run is not None and sent.is_shown(run):
            self._sent.pop(sent.id, None)
        elif asyncio.get_running_loop().time() - since > _LONGEST:
            self._sent.pop(sent.id, None)
            log.warning("command_not_confirmed", id=str(sent.id), run_id=str(sent.run_id))
        else:
            await self._bus.send(sent.command, org_id=sent.org_id, actor=sent.actor, id=sent.id)

    async def _find(self, sent: Sent) -> Run | None:
        try:
            return await self._bus.ask(
                GetRun(run_id=sent.run_id), org_id=sent.org_id, actor=sent.actor
            )
        except ProblemError as error:
            if error.problem.status == 404:
                return None
            raise
