"""Writes docs/run-states.md: the states of a run and the ways between them, from the machine itself."""

import sys
from pathlib import Path

from orchestrator.domain import ENDED
from orchestrator.machine import EDGES

PAGE = Path(__file__).parents[1] / "docs" / "run-states.md"

HEAD = """\
# The states of a run

All changes of status that there are. Written by `just generate` from `EDGES` in
`services/orchestrator/src/orchestrator/machine.py`; tests walk the machine to show that it takes each of them and no other.

"""

ORDER = ("queued", "syncing", "transforming", "publishing", "succeeded", "failed", "cancelled")
"""As a run goes."""


def main() -> None:
    """Rewrite the page; with `--check`, only say whether it is what it should be."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit("docs/run-states.md is out of date: run `just generate`")


def page() -> str:
    """The page as it should be."""
    lines = ["stateDiagram-v2", "[*] --> queued"]
    edges = sorted(EDGES, key=lambda edge: tuple(map(ORDER.index, edge)))
    lines += [f"{start} --> {to}{_why(start)}" for start, to in edges]
    lines += [f"{status} --> [*]" for status in ORDER if status in ENDED]
    body = "\n    ".join(lines)
    return f"{HEAD}```mermaid\n{body}\n```\n"


def _why(start: str) -> str:
    return ": retry" if start in ENDED else ""


if __name__ == "__main__":
    main()
