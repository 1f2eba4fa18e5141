"""Logs stay small while their processes write."""

import sys
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.logs import Rotation, rotate, rotate_all
from stack.process import spawn

COUNT = 50_000
WRITER = f"""
import os
for n in range({COUNT}):
    os.write(1 + n % 2, b"line %d of a log, long enough to fill it\\n" % n)
"""
SMALL = Rotation(size=64 * 1024, count=3)


def _write(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_log_is_rotated_while_its_process_writes_and_its_parts_stay_few_and_small(
    tmp_path: Path,
):
    log = tmp_path / "thing.log"
    child = spawn("thing", [sys.executable, "-c", WRITER], env={}, runs=tmp_path, log=log)
    rotations = 0
    while child.exit_status() is None:
        rotations += rotate(log, SMALL)
    assert rotations > SMALL.count
    parts = [tmp_path / f"thing.log.{n}" for n in (3, 2, 1)]
    assert sorted(tmp_path.glob("thing.log*")) == sorted([log, *parts])
    kept = "".join(path.read_text() for path in (*parts, log))
    numbers = [int(line.split()[1]) for line in kept.splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[-1] == COUNT - 1
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (*parts, log))


def test_a_short_log_and_one_that_is_not_there_are_left_alone(tmp_path: Path):
    log = tmp_path / "thing.log"
    assert not rotate(log, SMALL)
    _write(log, "short")
    assert not rotate(log, SMALL)
    assert log.read_text() == "short"


def test_the_oldest_part_goes(tmp_path: Path):
    log = tmp_path / "thing.log"
    for letter in "abcde":
        _write(log, letter * (SMALL.size + 1))
        rotate_all(tmp_path, SMALL)
    assert log.read_text() == ""
    found = [(tmp_path / f"thing.log.{n}").read_text()[0] for n in (1, 2, 3)]
    assert found == ["e", "d", "c"]
    assert not (tmp_path / "thing.log.4").exists()


@pytest.mark.parametrize("value", ["ten", "-1", "1"])
def test_a_size_that_is_none_is_refused_by_its_name(value: str):
    with pytest.raises(StackError, match="LOG_ROTATE_BYTES"):
        Rotation.of({"LOG_ROTATE_BYTES": value})
