"""The second opinion: line ends, quotes and records counted without DuckDB."""

from dataclasses import dataclass, field
from pathlib import Path

from ingest.dialect import Layout, records
from ingest.encoding import CHUNK

_BLANK_LINES = {b"\n\n", b"\n\r", b"\r\r"}


@dataclass
class Lines:
    """Line ends and quotes, counted in bytes; exact records only where there are no quotes."""

    ends: dict[str, int] = field(default_factory=dict)
    quotes: int = 0
    records: int | None = None

    @property
    def single(self) -> str | None:
        """The one kind of line end, or None."""
        kinds = [end for end, count in self.ends.items() if count]
        return kinds[0] if len(kinds) == 1 else "\n" if not kinds else None


def line_ends(path: Path) -> Lines:
    """Count what the whole file holds, byte by byte."""
    crlf = lf = cr = quotes = 0
    blank = False
    last = b"\n"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            while chunk.endswith(b"\r") and (more := file.read(1)):
                chunk += more
            quotes += chunk.count(b'"')
            returns = chunk.count(b"\r")
            pairs = chunk.count(b"\r\n") if returns else 0
            crlf, lf, cr = crlf + pairs, lf + chunk.count(b"\n") - pairs, cr + returns - pairs
            blank |= (last + chunk[:1]) in _BLANK_LINES or b"\n\n" in chunk
            blank |= bool(returns) and (b"\n\r" in chunk or b"\r\r" in chunk)
            last = chunk[-1:]
    found = Lines({"\r\n": crlf, "\n": lf, "\r": cr}, quotes)
    if not quotes and not blank and found.single is not None:
        found.records = crlf + lf + cr + (last not in {b"\n", b"\r"})
    return found


def line_numbers(path: Path, layout: Layout, wanted: list[int]) -> dict[int, int]:
    """From DuckDB's record numbers to the lines an editor shows."""
    places: dict[int, int] = {}
    with records(path, layout) as reader:
        begins = 1
        for number, _ in enumerate(reader, start=1):
            if number in wanted:
                places[number] = begins
            if number >= max(wanted):
                break
            begins = reader.line_num + 1
    return places


def count_records(path: Path, layout: Layout) -> int:
    """Records after the header; blank lines are records only where there is one column."""
    with records(path, layout) as reader:
        return sum(
            1
            for index, record in enumerate(reader)
            if index > layout.header_row and (record or layout.width == 1)
        )


def header_bytes(path: Path, layout: Layout) -> int:
    """Where the first row begins, in a file without quotes."""
    with path.open("rb") as file:
        for _ in range(layout.header_row + 1):
            file.readline()
        return file.tell()
