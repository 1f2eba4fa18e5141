"""Named points at which a process dies: only when told to, and the time that it is told."""

import subprocess
import sys

from chassis.crash_points import STATUS

SCRIPT = """
from chassis.crash_points import arm, reached
arm()
for turn in range(1, 4):
    reached("job.fetched")
    print(turn, flush=True)
"""


def run(said: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"CRASH_AT": said},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_that_is_told_nothing_passes_every_point():
    done = run("")
    assert (done.returncode, done.stdout) == (0, "1\n2\n3\n")


def test_a_process_dies_at_its_point_the_time_that_it_was_told():
    first, second, other = run("job.fetched"), run("job.fetched:2"), run("job.said")
    assert (first.returncode, first.stdout) == (STATUS, "")
    assert (second.returncode, second.stdout) == (STATUS, "1\n")
    assert (other.returncode, other.stdout) == (0, "1\n2\n3\n")


def test_a_point_that_there_is_not_is_refused_with_those_that_there_are():
    for wrong in ("job.fetchd", "job.fetched:soon"):
        done = run(wrong)
        assert done.returncode == 2
        assert wrong in done.stderr
        assert "job.fetched, job.committed" in done.stderr
