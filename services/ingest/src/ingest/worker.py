"""A warm subprocess that does one job: `python -m ingest.worker MEMORY_MB`, JSON lines.

It imports what is slow, says `ready`, reads one order from standard input, writes progress and
one answer to standard output, and exits: memory starts fresh with every job. It dies with its
parent, and standard output belongs to the protocol alone.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from contracts.ingest import SyncPhase
from ingest.connectors import BadSource, Unavailable
from ingest.jobs import Failure, FormJob, InspectJob, Line, LoadJob, Order, Progress, SampleJob

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve one order."""
    _die_with_parent()
    megabytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    import duckdb  # noqa: F401  warm

    from ingest import file_loader, form_loader

    _say(answers, Line(ready=True))
    order = sys.stdin.readline()
    if not order:
        return
    threading.Thread(target=_leave_at_eof, daemon=True).start()
    _say(answers, _answer(order, file_loader.load, form_loader.load, answers))


def _answer(order: str, load: Any, load_form: Any, answers: IO[str]) -> Line:
    from ingest.connectors import csv

    job = Order.model_validate_json(order).job
    work = Path.cwd()

    said = threading.Lock()

    def progress(phase: SyncPhase, **more: int | None) -> None:
        with said:
            _say(answers, Line(progress=Progress.model_validate({"phase": phase, **more})))

    try:
        match job:
            case LoadJob():
                return Line(loaded=load(job, work, progress))
            case FormJob():
                return Line(form=load_form(job, work, progress))
            case SampleJob():
                return Line(sampled=csv.sample(job.path, job.options, job.limit, work))
            case InspectJob():
                return Line(inspected=csv.inspect(job.path, job.options, work))
    except BadSource as error:
        failure = Failure(code=error.code, message=error.message, transient=False)
    except Unavailable as error:
        failure = Failure(code=error.code, message=error.message, transient=True)
    except MemoryError:
        failure = _too_large()
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryException":
            failure = _too_large()
        elif not isinstance(job, FormJob) and not job.path.exists():
            failure = Failure(
                code="upload_gone",
                message="The file was deleted while it was read. Upload it again.",
                transient=False,
            )
        else:
            # The type only: messages of the database and of dlt may hold data.
            sys.excepthook(type(error), error, error.__traceback__)
            name = type(error).__name__
            failure = Failure(
                code="worker_failed",
                message=f"The file could not be loaded ({name}). Report this with the file.",
                transient=False,
            )
    return Line(error=failure)


def _too_large() -> Failure:
    return Failure(
        code="too_large",
        message="A row or cell of the file needs more memory than a load may take. Split it.",
        transient=False,
    )


def _say(answers: IO[str], line: BaseModel) -> None:
    answers.write(line.model_dump_json(exclude_defaults=True) + "\n")
    answers.flush()


def _leave_at_eof() -> None:
    sys.stdin.read()
    os._exit(3)


def _die_with_parent() -> None:
    """The kernel's word on Linux; elsewhere the end of standard input has to do."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(3)


if __name__ == "__main__":
    main()
