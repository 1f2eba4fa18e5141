"""The one rule for what people send: which characters, numbers, times and depths are accepted."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_DEPTH = 64
"""Levels of nested JSON. The bus's parser reads 200, and a recipe may have 32."""

MAX_INTEGER = 2**63 - 1
"""PostgreSQL's bigint; the least is -MAX_INTEGER - 1. JSON columns hold no larger one either."""

MAX_COUNT = 2**31 - 1
"""PostgreSQL's integer: revisions, versions, numbers of lines."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """What is wrong with one value of a document, and where it is."""

    path: Path
    code: str
    message: str


def text_fault(text: str) -> tuple[str, str] | None:
    """Code and message for text that cannot be stored; None when it can."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    if found.group() == "\x00":
        return "character_not_allowed", "Text may not contain the character U+0000. Remove it"
    code_point = f"U+{ord(found.group()):04X}"
    return (
        "character_not_allowed",
        f"Text may not contain half of a surrogate pair ({code_point}). Remove it",
    )


def faults(document: object) -> Iterator[Fault]:
    """What no field of a JSON document may hold, wherever it is: unstorable text, huge numbers.

    Walks without recursion and goes no deeper than MAX_DEPTH.
    """
    pending: list[tuple[Path, object]] = [((), document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            if wrong := text_fault(value):
                yield Fault(path, *wrong)
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int):
            if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
                yield Fault(path, "number_too_large", "Whole numbers have at most 64 bits")
        elif isinstance(value, float):
            if not math.isfinite(value):
                yield Fault(path, "number_not_finite", "Numbers are finite. Use null or text")
        elif isinstance(value, Mapping | Sequence) and value:
            if len(path) >= MAX_DEPTH:
                yield too_deep(path)
                continue
            entries = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, entry in entries:
                if isinstance(key, str) and (wrong := text_fault(key)):
                    yield Fault(path, wrong[0], f"The name of a field here: {wrong[1]}")
                else:
                    pending.append(((*path, key), entry))


def too_deep(path: Path = ()) -> Fault:
    """The fault of a document with more than MAX_DEPTH levels."""
    top = tuple(part for part in path[:1] if isinstance(part, str))
    return Fault(top, "nested_too_deep", f"JSON is nested at most {MAX_DEPTH} levels deep")


def _one_line(text: str) -> str:
    if found := _CONTROL_OR_BREAK.search(text):
        raise _not_allowed(found.group(), "a name")
    return text


def _lines(text: str) -> str:
    if found := _CONTROL.search(text):
        raise _not_allowed(found.group(), "text")
    return text


def _not_allowed(character: str, where: str) -> PydanticCustomError:
    return PydanticCustomError(
        "character_not_allowed",
        "{where} may not contain the control character {code}. Remove it",
        {"where": where.capitalize(), "code": f"U+{ord(character):04X}"},
    )


def _in_range(moment: datetime) -> datetime:
    # A time at the edge of the calendar overflows when it is converted to another zone.
    if not _EARLIEST <= moment <= _LATEST:
        raise PydanticCustomError(
            "time_out_of_range", "Times lie between 0001-01-02 and 9999-12-30 (UTC)"
        )
    return moment


OneLine = AfterValidator(_one_line)
"""Refuses control characters, tabs and line ends among them."""

Lines = AfterValidator(_lines)
"""Refuses control characters but tabs and line ends."""

_NAME = Field(json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"})
_TEXT = Field(json_schema_extra={"pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"})

Name = Annotated[str, Field(min_length=1, max_length=200), OneLine, _NAME]
"""What people call something: a source, a pipeline, a table."""

ShortText = Annotated[str, Field(max_length=1000), OneLine, _NAME]
"""One line whose owner says more of it: an address, a code, the name of a zone."""

Address = Annotated[str, Field(min_length=1, max_length=2000), OneLine, _NAME]
"""Where something is: a URL, or an id in another system."""

ColumnName = Annotated[str, Field(max_length=1000)]
"""A column that is there: its name came with the data, and may hold what no name is given."""

LongText = Annotated[str, Field(max_length=10_000), Lines, _TEXT]
"""Several lines: a description."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
"""A time with its offset from UTC, in PostgreSQL's range and Python's."""

_CLOCK = {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]:[0-5][0-9]$"}
LocalTime = Annotated[time, WithJsonSchema(_CLOCK)]
"""A time of day in a zone that stands elsewhere; the format `time` of JSON Schema has an offset."""

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
"""A position or a number of things."""
