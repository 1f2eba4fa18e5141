"""PostgreSQL's disk is full: nothing is taken in that cannot be stored, and it heals by itself."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalgo import Dalgo, DalgoError
from stack.control import status
from stack.probe import get
from stack.state import read_state

from .conftest import Running, stack_in, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    """A stack whose PostgreSQL has a small disk of its own."""
    disk = folder / "data" / "postgres"
    disk.mkdir(parents=True)
    disk.parent.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m,mode=0700", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with stack_in(folder) as stack:
            yield stack
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.timeout(400)
def test_a_full_disk_refuses_runs_is_shown_and_heals(running: Running, dalgo: Dalgo, people: Path):
    upload = dalgo.uploads.create(people)
    source = dalgo.sources.create("people", {"upload_id": str(upload.upload_id)})
    pipeline = dalgo.pipelines.create("All", [source.id])
    assert dalgo.runs.wait(dalgo.pipelines.run(pipeline.id)).status == "succeeded"

    filler = running.layout.postgres / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass
    until(lambda: not status(running.layout).ready)
    refused: list[DalgoError] = []

    def is_refused() -> bool:
        try:
            # One that is taken in the first two seconds waits on the bus.
            dalgo.pipelines.run(pipeline.id)
        except DalgoError as error:
            refused.append(error)
        return bool(refused)

    until(is_refused, seconds=10)
    assert refused[0].problem.status == 503
    # Full, or already stopped because it could not write its log.
    assert refused[0].problem.code in {"database_full", "database_unavailable"}
    parts = {part.name: part for part in status(running.layout).parts}
    assert not parts["gateway"].ready
    assert parts["orchestrator"].lacks
    assert "database" in parts["orchestrator"].lacks
    answer = get(read_state(running.layout).ports["gateway"], "/readyz", timeout=5)
    assert answer.status == 503
    assert "database" in answer.body

    filler.unlink()
    until(lambda: status(running.layout).ready)
    assert dalgo.runs.wait(dalgo.pipelines.run(pipeline.id, force=True)).status == "succeeded"
