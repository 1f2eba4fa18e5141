"""The whole stack as its own processes, started as a person would: `dalgo up`."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from contracts.streams import STREAMS
from dalgo import Dalgo
from stack.access import jetstream
from stack.control import status
from stack.layout import Layout
from stack.process import wait_until


@dataclass(frozen=True)
class Running:
    """A stack that runs, and where."""

    url: str
    layout: Layout

    def kill(self, name: str) -> int:
        """End a service as a crash would; its supervisor brings it back. Returns its old pid."""
        part = next(part for part in status(self.layout).parts if part.name == name)
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        return part.pid

    def lose_store(self) -> None:
        """All that the bus has stored is gone, and the server with it."""
        (self.layout.nats / "jetstream").rename(self.layout.nats / os.urandom(6).hex())
        self.kill("nats")

    def fill_store(self) -> None:
        """No write of the bus succeeds any more, until its server is started again."""
        part = next(part for part in status(self.layout).parts if part.name == "nats")
        psutil.Process(part.pid).rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))

    def delete_streams(self) -> None:
        """The streams are gone, the server lives."""

        async def delete() -> None:
            async with jetstream(self.layout, {}) as streams:
                for stream in STREAMS:
                    await streams.delete_stream(stream.name)

        asyncio.run(delete())

    def until_ready(self) -> None:
        """Wait until all of it is ready again."""
        assert wait_until(lambda: status(self.layout).ready, 60)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two stacks that start at the same moment choose the same free ports."""
    with (Path(tempfile.gettempdir()) / "dalgo-e2e-starts").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wait_until_ready(layout: Layout, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while True:
        now = status(layout)
        if now.ready and now.url:
            return now.url
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the stack did not start:\n{log.read_text()}")
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def stack_in(folder: Path, **settings: str) -> Iterator[Running]:
    """`dalgo up` in a data directory below a folder that PostgreSQL's account can reach."""
    log = folder / "up.log"
    layout = Layout(folder / "data")
    command = [sys.executable, "-m", "dalgo", "up", "--data-dir", str(layout.root)]
    # Every test signs up, all from one address.
    environment = os.environ | {"SIGNUPS_PER_HOUR": "1000"} | settings
    with log.open("wb") as output:
        with _one_at_a_time():
            process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, env=environment
            )
            try:
                url = _wait_until_ready(layout, process, log)
            except BaseException:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=30)
                raise
        try:
            yield Running(url, layout)
        finally:
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            # A grandchild that has ended stays a zombie until process 1 gets to reap it.
            _, left = psutil.wait_procs(children, timeout=10)
            left = [each for each in left if each.status() != psutil.STATUS_ZOMBIE]
            assert left == [], f"left running: {left}"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """An empty directory, gone afterwards."""
    # Not below pytest's own folder: that is closed to others at every start of pytest, and
    # PostgreSQL, which refuses root, must pass through.
    made = Path(tempfile.mkdtemp(prefix="dalgo-e2e-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, folder: Path) -> Iterator[Running]:
    """`dalgo up` for a whole module, in a data directory of its own; its `ENVIRONMENT` on top."""
    with stack_in(folder, **getattr(request.module, "ENVIRONMENT", {})) as stack:
        yield stack


@pytest.fixture
def dalgo(running: Running) -> Iterator[Dalgo]:
    """A client signed in as the owner of an organisation of its own."""
    with Dalgo(running.url) as client:
        name = os.urandom(6).hex()
        client.signup(f"{name}@example.org", f"a long pass phrase {name}", f"Organisation {name}")
        yield client


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A small file of people."""
    path = tmp_path / "people.csv"
    path.write_text("name,district,age\nAsha,North,31\nBen,South,17\nChidi,North,45\n")
    return path
