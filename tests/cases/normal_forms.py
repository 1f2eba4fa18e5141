"""The rule of lossless typing (docs/ingestion.md), said a second time: without the loader's code."""

import re

from ingest.connectors import ColumnType

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"[T ](\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$")


def same(type: ColumnType, given: str | None, back: str | None) -> bool:
    """Whether a cell that was given is told by what came back as text, whatever its form."""
    if type == "text":
        return (given or "") == (back or "")
    if given is None or not given.strip(" \t\r\n\v\f\u00a0\ufeff"):
        return back is None
    if back is None:
        return False
    if type in {"integer", "decimal"}:
        return given == back
    if type == "boolean":
        return given.lower() == back and back in {"true", "false"}
    if type == "date":
        return _day(given) == _day(back)
    if type == "timestamp":
        given_clock, back_clock = _CLOCK.search(given), _CLOCK.search(back)
        if given_clock is None or back_clock is None:
            return False
        days = _day(given[: given_clock.start()]) == _day(back[: back_clock.start()])
        return days and _time(given_clock) == _time(back_clock)
    return False


def _day(text: str) -> list[int]:
    """Its numbers in no order, which is for other tests; a month's name is one."""
    found = [int(number) for number in re.findall(r"[0-9]+", text)]
    found += [_MONTHS.index(word[:3].lower()) + 1 for word in re.findall(r"[A-Za-z]+", text)]
    return sorted(found)


def _time(clock: re.Match[str]) -> tuple[int, int, int, str]:
    hours, minutes, seconds, fraction = clock.groups()
    return int(hours), int(minutes), int(seconds or 0), (fraction or "").rstrip("0")
