"""Workers end when they are told, when they die, and when nobody is left to tell them."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from glob import glob
from pathlib import Path

import psutil
import pytest

from ingest.connectors import BadSource, Unavailable
from ingest.dialect import CsvOptions
from ingest.jobs import InspectJob, Limits
from ingest.pool import WorkerPool
from ingest.scratch import scratch

PARENT = """
import asyncio
from ingest.pool import WorkerPool

async def main():
    async with WorkerPool(spares=2) as pool:
        await asyncio.gather(*pool._warm)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def mothers(parent: int | None = None) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process(parent).children()
        if "ingest.worker" in process.cmdline()
    ]


def workers(parent: int | None = None) -> list[psutil.Process]:
    return [worker for mother in mothers(parent) for worker in mother.children()]


@pytest.fixture
def endless(tmp_path):
    """A job that reads from a pipe that nobody fills: it lasts as long as it is let."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return InspectJob(path=path)


async def started(pool: WorkerPool, job: InspectJob) -> asyncio.Task:
    """The job, once its worker has opened the file."""
    task = asyncio.create_task(pool.inspect(job))
    opened = await asyncio.to_thread(os.open, job.path, os.O_WRONLY)
    task.add_done_callback(lambda _: os.close(opened))
    return task


async def test_a_cancelled_job_is_a_killed_process(endless):
    async with WorkerPool(spares=0) as pool:
        task = await started(pool, endless)
        (worker,) = workers()
        folder = worker.cwd()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not worker.is_running()
        assert folder not in await asyncio.to_thread(glob, f"{folder}*")


async def test_a_worker_that_is_killed_is_worth_another_try(endless):
    async with WorkerPool(spares=0) as pool:
        task = await started(pool, endless)
        workers()[0].kill()
        with pytest.raises(Unavailable) as caught:
            await task
        assert caught.value.code == "worker_died"
        assert "signal 9" in caught.value.message


async def test_a_worker_that_aborts_for_want_of_memory_is_not_tried_again(endless):
    async with WorkerPool(spares=0) as pool:
        task = await started(pool, endless)
        workers()[0].send_signal(signal.SIGABRT)
        with pytest.raises(BadSource) as caught:
            await task
        assert caught.value.code == "too_large"


async def test_a_job_that_is_not_over_in_time_is_killed(endless):
    async with WorkerPool(spares=0, limits=Limits(computing=60, waiting=1.0)) as pool:
        task = await started(pool, endless)
        (worker,) = workers()
        with pytest.raises(BadSource) as caught:
            await task
        assert caught.value.code == "too_slow"
        assert not worker.is_running()


async def test_a_job_that_computes_longer_than_it_may_is_killed():
    # The first bytes of a file that never ends, whatever is looked for in it.
    job = InspectJob(path=Path("/dev/zero"), options=CsvOptions(encoding="utf-8", delimiter=","))
    async with WorkerPool(spares=0, limits=Limits(computing=1, waiting=None)) as pool:
        with pytest.raises(BadSource) as caught:
            await pool.inspect(job)
        assert caught.value.code == "too_slow"
        assert workers() == []


async def test_a_spare_that_died_while_waiting_is_replaced(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    async with WorkerPool(spares=1) as pool:
        await pool.inspect(InspectJob(path=path))
        for worker in workers():
            worker.kill()
            worker.wait()
        assert (await pool.inspect(InspectJob(path=path))).rows == 1


async def test_a_file_that_is_gone_is_told_as_such(tmp_path):
    async with WorkerPool(spares=0) as pool:
        with pytest.raises(BadSource) as caught:
            await pool.inspect(InspectJob(path=tmp_path / "gone.csv"))
    assert caught.value.code == "upload_gone"
    assert "Upload it again" in caught.value.message


async def test_a_scratch_folder_that_somebody_removed_is_made_again(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    async with WorkerPool(spares=0) as pool:
        shutil.rmtree(pool._folder)
        assert (await pool.inspect(InspectJob(path=path))).rows == 1


async def test_a_closed_pool_leaves_no_process():
    async with WorkerPool(spares=2):
        pass
    assert workers() == []


async def test_memory_is_bounded(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("a,b\n" + "x" * (64 << 20) + ",1\n")
    async with WorkerPool(spares=0, memory_mb=400) as pool:
        with pytest.raises((BadSource, Unavailable)) as caught:
            await pool.inspect(InspectJob(path=path))
    assert caught.value.code in {"too_large", "worker_died"}


async def test_secrets_are_neither_in_arguments_nor_in_the_environment(endless, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://ingest:hunter2@db/dalgo")
    async with WorkerPool(spares=0) as pool:
        task = await started(pool, endless)
        (worker,) = workers()
        assert "hunter2" not in str(worker.environ())
        assert worker.cmdline()[1:] == ["-m", "ingest.worker"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_their_parent_and_their_files_are_swept(how):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PARENT,
        ],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    left = workers(parent.pid)
    assert len(left) == 2
    folders = [Path(worker.cwd()) for worker in left]
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(left, timeout=5)
    assert alive == []
    with scratch():
        assert not any(folder.exists() for folder in folders)
