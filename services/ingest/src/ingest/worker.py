"""Warm subprocesses that do one job each, forked from one that has imported what is slow.

`python -m ingest.worker` is the mother: it says `ready` on the socket that is its standard input
and forks a worker for every socket that comes over it, with the worker's folder and memory in
megabytes. A worker reads one order from its socket, writes progress and one answer, JSON lines,
and exits: memory starts fresh with every job. Only a form's order asks back, where its tables go. The mother says who is born and who has ended, with
process ids and exit codes. Workers die with their mother, she dies with her parent.
"""

import contextlib
import ctypes
import gc
import json
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from pydantic import BaseModel

from contracts.ingest import SyncPhase
from ingest.connectors import BadSource, Unavailable
from ingest.jobs import (
    Failure,
    FormJob,
    InspectJob,
    Line,
    ListFormsJob,
    LoadJob,
    Order,
    Places,
    Progress,
    SampleFormJob,
    SampleJob,
)

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Fork workers until the other end of the socket is closed."""
    _die_with_parent(os.getppid())
    control = socket.socket(fileno=os.dup(0))
    # A worker that held it would keep it open beyond its mother's death.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)

    import duckdb  # noqa: F401  warm

    from ingest import file_loader, form_loader  # noqa: F401  warm

    # What is here is shared with all workers, as long as nobody counts its references anew.
    gc.freeze()
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: _bury(control))
    control.sendall(b"ready\n")
    while True:
        order, sockets, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not order:
            return
        mother = os.getpid()
        # Nobody has ended before it was born.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            control.close()
            try:
                _work(socket.socket(fileno=sockets[0]), mother, **json.loads(order))
            finally:
                os._exit(0)
        os.close(sockets[0])
        control.sendall(f"born {pid}\n".encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _bury(control: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError, OSError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            control.sendall(f"ended {ended[0]} {os.waitstatus_to_exitcode(ended[1])}\n".encode())


def _work(line: socket.socket, mother: int, folder: str, memory_mb: int) -> None:
    """Serve one order."""
    os.setsid()
    _die_with_parent(mother)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    # Who is killed at a limit leaves no image of a memory that holds people's data.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(folder)
    os.environ |= {"HOME": folder, "TMPDIR": folder, "DLT_DATA_DIR": folder}
    tempfile.tempdir = None
    random.seed()
    with line.makefile("r", encoding="utf-8") as orders, line.makefile("w") as answers:
        order = orders.readline()
        if not order:
            return
        said: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=_listen, args=(orders, said), daemon=True).start()
        _say(answers, _answer(order, said, answers))
        os._exit(0)


def _answer(order: str, said: SimpleQueue[str], answers: IO[str]) -> Line:
    from ingest import file_loader, form_loader
    from ingest.connectors import csv

    given = Order.model_validate_json(order)
    job = given.job
    resource.setrlimit(resource.RLIMIT_CPU, (given.computing, given.computing + 5))
    work = Path.cwd()

    saying = threading.Lock()

    def progress(phase: SyncPhase, **more: int | None) -> None:
        with saying:
            _say(answers, Line(progress=Progress.model_validate({"phase": phase, **more})))

    def place(names: Mapping[str, str]) -> Mapping[str, str]:
        with saying:
            _say(answers, Line(places=dict(names)))
        return Places.model_validate_json(said.get()).relations

    try:
        match job:
            case LoadJob():
                return Line(loaded=file_loader.load(job, work, progress))
            case FormJob():
                return Line(form=form_loader.load(job, work, progress, place))
            case SampleFormJob():
                return Line(form_sampled=form_loader.show(job, work))
            case ListFormsJob():
                return Line(forms=form_loader.forms_of(job))
            case SampleJob():
                preview = csv.sample(job.path, job.options, job.limit, work, mask_key=job.mask_key)
                return Line(sampled=preview)
            case InspectJob():
                return Line(
                    inspected=csv.inspect(job.path, job.options, work, mask_key=job.mask_key)
                )
    except BadSource as error:
        failure = Failure(code=error.code, message=error.message, transient=False)
    except Unavailable as error:
        failure = Failure(code=error.code, message=error.message, transient=True)
    except MemoryError:
        failure = _too_large()
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryException":
            failure = _too_large()
        elif isinstance(job, LoadJob | InspectJob | SampleJob) and not job.path.exists():
            failure = Failure(
                code="upload_gone",
                message="The file was deleted while it was read. Upload it again.",
                transient=False,
            )
        else:
            # The type only: messages of DuckDB, the database and dlt may hold data.
            traceback.print_tb(error.__traceback__)
            name = type(error).__name__
            print(name, file=sys.stderr)
            failure = Failure(
                code="worker_failed",
                message=f"What was read could not be loaded ({name}). Report this with the "
                "file or form.",
                transient=False,
            )
    return Line(error=failure)


def _too_large() -> Failure:
    return Failure(
        code="too_large",
        message="A row or cell needs more memory than a load may take. Split it.",
        transient=False,
    )


def _say(answers: IO[str], line: BaseModel) -> None:
    answers.write(line.model_dump_json(exclude_defaults=True) + "\n")
    answers.flush()


def _listen(orders: IO[str], said: SimpleQueue[str]) -> None:
    """Take what the parent says; leave when it is gone."""
    for line in orders:
        said.put(line)
    os._exit(3)


def _die_with_parent(parent: int) -> None:
    """The kernel's word on Linux; elsewhere the end of its socket has to do."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(3)


if __name__ == "__main__":
    main()
