"""The worker's side of `workers`: light, as every worker imports it anew unless it is preloaded."""

import gc
import os
import resource
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

from contracts.problem import ProblemError

_LARGE = 300 << 20
"""Bytes of resident memory from which a worker ends after its answer, and gives it back."""


class WorkFailed(Exception):
    """The computation raised an error that is a mistake of ours; the message is its traceback."""


def serve(connection: Connection, memory: int) -> None:
    """The worker's side: one computation after the other, until the other end of the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A computation has no use for the service's secrets.
    os.environ.clear()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # What was imported stays shared with the fork server: the collector does not touch it.
    gc.freeze()
    while True:
        try:
            seconds, work, args, kwargs = connection.recv()
        except EOFError:
            return
        # The kernel ends the process: no code of ours has to notice.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        outcome = _outcome(work, args, kwargs)
        large = _resident() > _LARGE
        try:
            connection.send((*outcome, large))
        except OSError:
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        if large:
            return


def _outcome(
    work: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[str, object]:
    try:
        return "returned", work(*args, **kwargs)
    except ProblemError as error:
        return "raised", error
    except (MemoryError, RecursionError) as error:
        return "spent", type(error).__name__
    except Exception:
        return "raised", WorkFailed(traceback.format_exc())


def _resident() -> int:
    """The most memory that the process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if os.uname().sysname == "Darwin" else peak << 10
