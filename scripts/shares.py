"""Writes docs/shares.md: every share of what organisations have in common, from contracts/shares.py."""

import sys
from collections.abc import Iterator
from pathlib import Path

from contracts.shares import SHARES, Backoff, Cap, Rate, Slots

PAGE = Path(__file__).parents[1] / "docs" / "shares.md"

HEAD = """\
# Shares

What organisations use in common, and how much of it each may have. [How shares work](architecture.md#shares). Written by `just generate`
from `libs/contracts/src/contracts/shares.py`.
"""

PERIODS = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


def main() -> None:
    """Rewrite the page; with `--check`, only compare it."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit("docs/shares.md is out of date: run `just generate`")


def page() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *_slots(), *_rates(), *_caps()])


def _slots() -> Iterator[str]:
    yield "## Slots: at once, in one replica"
    yield "| share | of what | slots | of each | waiting |"
    yield "|---|---|---|---|---|"
    for slots in SHARES:
        if isinstance(slots, Slots):
            each = f"{slots.each} for each {slots.of}"
            yield f"| `{slots.name}` | {slots.what} | {slots.total} | {each} | {slots.waiting} |"
    yield ""


def _rates() -> Iterator[str]:
    yield "## Rates: in a time, over all replicas"
    yield "| share | of what | at most |"
    yield "|---|---|---|"
    for rate in SHARES:
        if isinstance(rate, Rate):
            per = PERIODS.get(rate.per, f"{rate.per:g} seconds")
            yield f"| `{rate.name}` | {rate.what} | {rate.limit:,} a {per} for each {rate.of} |"
        elif isinstance(rate, Backoff):
            grows = f"then a pause of {rate.first:g} s, doubling up to {rate.longest:g} s"
            yield f"| `{rate.name}` | {rate.what} | {rate.free} for each {rate.of}, {grows} |"
    yield ""


def _caps() -> Iterator[str]:
    yield "## Caps: in all"
    yield "| share | of what | of one organisation |"
    yield "|---|---|---|"
    for cap in SHARES:
        if isinstance(cap, Cap):
            yield f"| `{cap.name}` | {cap.what} | {cap.each:,} {cap.unit} |"
    yield ""


if __name__ == "__main__":
    main()
