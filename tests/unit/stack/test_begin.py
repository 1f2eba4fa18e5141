"""Starts that meet another program's port."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.unit import begin

TAKEN = f"it ended.\nOSError: [Errno 98] {os.strerror(errno.EADDRINUSE)}"


class Program:
    """Fails with each of `faults`, one a start, then runs; `ports_taken` are left for others."""

    name = "auth"
    log = Path("auth.log")

    def __init__(self, *faults: str, ports_taken: tuple[int, ...] = ()) -> None:
        self.faults = list(faults)
        self.ports_taken = ports_taken
        self.port = 18001

    def ports(self) -> dict[str, int]:
        return {"auth": self.port}

    def leave_taken_ports(self) -> None:
        while self.port in self.ports_taken:
            self.port += 1

    def start(self) -> None:
        if self.faults:
            raise StackError(self.faults.pop(0))

    def stop(self) -> None:
        self.faults.clear()

    def is_running(self) -> bool:
        return False


async def call(work: Callable[[], object]) -> None:
    work()


async def test_a_port_that_was_taken_at_the_start_and_is_free_again_is_tried_again():
    said: list[str] = []
    assert not await begin(Program(TAKEN, TAKEN), call, lambda line, _: said.append(line))
    assert said == []


async def test_a_port_that_stays_taken_is_left_and_the_other_one_is_named():
    said: list[str] = []
    program = Program("it ended", ports_taken=(18001,))
    assert await begin(program, call, lambda line, _: said.append(line))
    assert said == ["port 18001 is taken by another program: auth uses 18002"]


@pytest.mark.parametrize("faults", [["no such table"], [TAKEN] * 9], ids=["other", "for ever"])
async def test_what_does_not_start_is_said_in_its_own_words(faults: list[str]):
    with pytest.raises(StackError, match=faults[0].splitlines()[0]):
        await begin(Program(*faults), call, lambda *_: None)
