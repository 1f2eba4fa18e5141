"""Processes and their records: ours are found and ended, others never."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stack.process import Child, listens, read_record, record_of, spawn, tail, wait_until

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
time.sleep(60)
""",
]
PARENT = [
    sys.executable,
    "-c",
    """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(child.pid, flush=True)
time.sleep(60)
""",
]


def _spawn(tmp_path: Path, command: list[str]) -> Child:
    return spawn("thing", command, env={}, runs=tmp_path, log=tmp_path / "thing.log")


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def test_a_child_is_recorded_and_its_record_leads_to_it(tmp_path: Path):
    child = _spawn(tmp_path, SLEEP)
    record = read_record(tmp_path, "thing")
    assert record is not None
    assert record == child.record
    found = record.process()
    assert found is not None
    assert found.pid == child.pid
    child.stop(grace=5)
    assert record.process() is None
    assert read_record(tmp_path, "thing") is None


def test_a_pid_that_belongs_to_another_process_now_is_not_ours(stranger: subprocess.Popen[bytes]):
    true = record_of("thing", stranger.pid)
    assert true.process() is not None
    assert replace(true, started=true.started - 3600).process() is None
    assert replace(true, boot="another").process() is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel notes the time itself")
@pytest.mark.parametrize("seconds", [3, -3, 86_400])
def test_a_step_of_the_clock_hides_no_process(
    stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, seconds: int
):
    record = record_of("thing", stranger.pid)
    before = psutil.Process(stranger.pid).create_time()
    # What such a step does on Linux: the time of the boot, from which psutil counts, moves along.
    boot = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + seconds)
    assert psutil.Process(stranger.pid).create_time() != before
    assert record.process() is not None


def test_a_process_listens_on_its_own_port_and_not_on_that_of_another(
    stranger: subprocess.Popen[bytes],
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listens(psutil.Process(), port)
        assert not listens(psutil.Process(stranger.pid), port)
    assert not listens(psutil.Process(), port)


def test_a_process_that_has_died_and_waits_for_its_parent_counts_as_gone(tmp_path: Path):
    child = _spawn(tmp_path, [sys.executable, "-c", ""])
    assert wait_until(lambda: child.record.process() is None, 10)
    assert child.exit_status() == 0


def test_a_record_that_cannot_be_read_is_no_record(tmp_path: Path):
    (tmp_path / "thing.json").write_text("not json")
    assert read_record(tmp_path, "thing") is None
    (tmp_path / "thing.json").write_text('{"url": "x"}')
    assert read_record(tmp_path, "thing") is None


def test_a_child_lives_in_a_session_of_its_own(tmp_path: Path):
    child = _spawn(tmp_path, SLEEP)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    child.stop(grace=5)


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path):
    child = _spawn(tmp_path, DEAF)
    assert wait_until(lambda: "deaf" in tail(child.log), 10)
    child.stop(signal.SIGTERM, grace=0.1)
    assert child.exit_status() == -signal.SIGKILL


def test_what_a_child_has_started_does_not_outlive_it(tmp_path: Path):
    child = _spawn(tmp_path, PARENT)
    assert wait_until(lambda: tail(child.log) != "", 10)
    grandchild = psutil.Process(int(tail(child.log)))
    child.stop(grace=5)
    assert wait_until(
        lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, 5
    )


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path):
    log = tmp_path / "thing.log"
    log.write_text("".join(f"line {n}\n" for n in range(10_000)))
    assert tail(log, 2) == "line 9998\nline 9999"
    assert tail(tmp_path / "absent.log") == ""
