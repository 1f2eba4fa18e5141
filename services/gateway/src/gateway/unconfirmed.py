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
from contracts.shares import UNCONFIRMED
from contracts.streams import CMD

_EVERY = 5.0
_LONGEST = 0.9 * CMD.duplicate_window
"""Seconds; after that the stream would take a repeat for a new message."""


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
    """Those of one process. Of an organisation that has more than its share the oldest go."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._sent: dict[UUID, OrderedDict[UUID, tuple[Sent, float]]] = {}

    def keep(self, sent: Sent) -> None:
        """Look after a command until a run shows it."""
        own = self._sent.setdefault(sent.org_id, OrderedDict())
        own[sent.id] = (sent, asyncio.get_running_loop().time())
        if len(own) > UNCONFIRMED.each:
            own.popitem(last=False)

    @property
    def waiting(self) -> int:
        """How many no run shows yet."""
        return sum(len(own) for own in self._sent.values())

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            for sent, since in [each for own in self._sent.values() for each in own.values()]:
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
            self._forget(sent)
        elif asyncio.get_running_loop().time() - since > _LONGEST:
            self._forget(sent)
            log.warning("command_not_confirmed", id=str(sent.id), run_id=str(sent.run_id))
        else:
            await self._bus.send(sent.command, org_id=sent.org_id, actor=sent.actor, id=sent.id)

    def _forget(self, sent: Sent) -> None:
        own = self._sent.get(sent.org_id, OrderedDict())
        own.pop(sent.id, None)
        if not own:
            self._sent.pop(sent.org_id, None)

    async def _find(self, sent: Sent) -> Run | None:
        try:
            return await self._bus.ask(
                GetRun(run_id=sent.run_id), org_id=sent.org_id, actor=sent.actor
            )
        except ProblemError as error:
            if error.problem.status == 404:
                return None
            raise
