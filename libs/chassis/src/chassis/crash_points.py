"""Named points at which a process can be made to die, to prove that no work depends on its life.

`CRASH_AT=<point>` in the environment of a service ends its process when it reaches the point,
`CRASH_AT=<point>:3` when it does so for the third time: at once, with status 137, as kill -9 would.
Without the setting a point costs one comparison.
"""

import os
import sys
from collections.abc import Mapping
from typing import Literal, get_args

Point = Literal[
    "job.fetched",
    "job.committed",
    "job.said",
    "job.acknowledged",
    "transaction.before_commit",
    "transaction.committed",
    "outbox.published",
    "outbox.marked",
    "run.claimed",
    "sync.loaded",
    "build.written",
    "publish.begun",
    "publish.moved",
    "publish.committed",
    "start.received",
    "start.stored",
]
"""Where: a durable message from its fetch to its end (`job`), a transaction of an organisation, a
batch of the outbox, admission between claims and plan, a version before its outcome is committed
(`sync`, `build`), the publish around its transaction, the gateway around the storing of StartRun."""

STATUS = 137
"""The exit status of a process that died at a point."""

_armed: str | None = None
_left = 0


def arm(environ: Mapping[str, str] = os.environ) -> None:
    """Take CRASH_AT from the environment; ends the process when it names no point."""
    global _armed, _left
    said = environ.get("CRASH_AT")
    if not said:
        return
    point, _, nth = said.partition(":")
    if point not in get_args(Point) or not (nth or "1").isdigit():
        print(
            f"Setting CRASH_AT does not fit: {said!r}. Points: {', '.join(get_args(Point))}.",
            file=sys.stderr,
        )
        sys.exit(2)
    _armed, _left = point, int(nth or "1")


def reached(point: Point) -> None:
    """Die here, if that is what this process was told."""
    global _left  # noqa: PLW0603
    if point != _armed:
        return
    _left -= 1
    if _left <= 0:
        os._exit(STATUS)
