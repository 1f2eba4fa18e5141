"""What this process committed last of the runs that it moves: they need not be read again."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.domain import RunState
from orchestrator.room import Others

_MOST = 200


@dataclass(frozen=True)
class Snapshot:
    """A run as it was, with all that a move of it is decided on."""

    state: RunState | None
    """None: there is no such run."""
    revision: int
    others: Others
    now: datetime
    """By the database's clock, at `seen_at` of this process's."""
    seen_at: float = field(default_factory=time.monotonic)
    is_guess: bool = False
    """Whether it was read before; the run was alone in its organisation then."""

    @property
    def clock(self) -> datetime:
        """What the database's clock shows by now."""
        return self.now + timedelta(seconds=time.monotonic() - self.seen_at)


class Remembered:
    """Snapshots to guess by, of runs that are alone in their organisation.

    Whoever goes by one has the database refuse a move that does not follow on its revision, or of a
    run that is not alone any more.
    """

    def __init__(self) -> None:
        self._snapshots: OrderedDict[UUID, Snapshot] = OrderedDict()

    def of(self, run_id: UUID) -> Snapshot | None:
        """The run as this process knows it."""
        return self._snapshots.get(run_id)

    def keep(self, run_id: UUID, snapshot: Snapshot) -> None:
        """Remember what was committed."""
        self._snapshots.pop(run_id, None)
        if snapshot.state is None or snapshot.state.has_ended or snapshot.others != Others():
            return
        self._snapshots[run_id] = replace(snapshot, is_guess=True)
        if len(self._snapshots) > _MOST:
            self._snapshots.popitem(last=False)

    def forget(self, run_id: UUID) -> None:
        """The run was moved by somebody else."""
        self._snapshots.pop(run_id, None)
