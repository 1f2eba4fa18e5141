"""A stack with stand-ins for the services, and what it reports."""

import json
from collections.abc import Awaitable, Callable, Mapping

from stack.layout import Layout
from stack.probe import get
from stack.state import read_state
from stack.supervisor import Options, Stack


class Told:
    """Collects what the stack reports."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str, seconds: float) -> None:
        assert seconds >= 0
        self.lines.append(line)

    def has(self, part: str) -> bool:
        return any(part in line for line in self.lines)


async def nothing(*_: object) -> None:
    """Migrations and streams are others' tests."""


def make_stack(
    layout: Layout,
    environ: Mapping[str, str],
    prepare_database: Callable[..., Awaitable[None]] = nothing,
    prepare_bus: Callable[..., Awaitable[None]] = nothing,
) -> Stack:
    return Stack(
        Options(layout, environ=environ), prepare_database=prepare_database, prepare_bus=prepare_bus
    )


def environment_of(layout: Layout, name: str) -> dict[str, str]:
    return json.loads(get(read_state(layout).ports[name], "/", timeout=5).body)
