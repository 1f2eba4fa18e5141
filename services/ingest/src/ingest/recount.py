"""The second opinion: line ends, quotes and records counted without DuckDB."""

from dataclasses import dataclass, field
from pathlib import Path

from ingest.cells import stands_alone, swallowed_from
from ingest.dialect import Layout, records
from ingest.encoding import CHUNK

_BLANK_LINES = {b"\n\n", b"\n\r", b"\r\r"}


class Damaged(Exception):
    """The file has to be mended before it can be read; the message says why."""


@dataclass
class Lines:
    """Line ends and quotes, counted in bytes; exact records only where there are no quotes."""

    ends: dict[str, int] = field(default_factory=dict)
    quotes: int = 0
    delimiters: int = 0
    records: int | None = None

    @property
    def single(self) -> str | None:
        """The one kind of line end, or None."""
        kinds = [end for end, count in self.ends.items() if count]
        return kinds[0] if len(kinds) == 1 else "\n" if not kinds else None


def line_ends(path: Path, layout: Layout) -> Lines:
    """Count what the whole file holds, byte by byte."""
    quote, delimiter = layout.cutter.quote.encode(), layout.cutter.delimiter.encode()
    # What is not counted goes first: the rest is a tenth, and counting it costs next to nothing.
    others = b""
    if len(quote) == len(delimiter) == 1:
        others = bytes(set(range(256)).difference(quote, delimiter, b"\r\n"))
    crlf = lf = cr = quotes = delimiters = 0
    blank = False
    last = b"\n"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            while chunk.endswith(b"\r") and (more := file.read(1)):
                chunk += more
            signs = chunk.translate(None, others)
            quotes += signs.count(quote)
            delimiters += signs.count(delimiter)
            returns = signs.count(b"\r")
            pairs = chunk.count(b"\r\n") if returns else 0
            crlf, lf, cr = crlf + pairs, lf + signs.count(b"\n") - pairs, cr + returns - pairs
            blank |= (last + chunk[:1]) in _BLANK_LINES
            blank |= b"\n\n" in signs and b"\n\n" in chunk
            blank |= bool(returns) and (b"\n\r" in chunk or b"\r\r" in chunk)
            last = chunk[-1:]
    found = Lines({"\r\n": crlf, "\n": lf, "\r": cr}, quotes, delimiters)
    if not quotes and not blank and found.single is not None:
        found.records = crlf + lf + cr + (last not in {b"\n", b"\r"})
    return found


def count_rows(path: Path, layout: Layout, lines: Lines) -> int:
    """Rows after the header, counted without DuckDB; blank lines only where there is one column.

    Raises Damaged where one has another number of cells than the file has columns, or where a
    stray quote seems to have swallowed its neighbours.
    """
    if lines.records is not None:
        rows = lines.records - layout.header_row - 1
        within = lines.delimiters - _delimiters_above(path, layout)
        if within != rows * (layout.width - 1):
            raise Damaged("some rows have more or fewer cells than there are columns")
        return rows
    width, rows = layout.width, 0
    with records(path, layout) as reader:
        for index in range(layout.header_row + 1):
            above = next(reader, [])
            if index == layout.header_row and tuple(above[:width]) != layout.header:
                raise Damaged("the header has a stray quote")
        before = reader.line_num
        for record in reader:
            if len(record) == width:
                rows += 1
            elif any(record):
                raise Damaged("some rows have more or fewer cells than there are columns")
            else:
                rows += bool(record) or width == 1
            if (line := reader.line_num) > before + 2 and _swallows(record, layout):
                raise Damaged("a cell holds what look like other rows")
            before = line
    return rows


def _delimiters_above(path: Path, layout: Layout) -> int:
    with path.open("rb") as file:
        delimiter = layout.cutter.delimiter.encode()
        return sum(file.readline().count(delimiter) for _ in range(layout.header_row + 1))


def _swallows(record: list[str], layout: Layout) -> bool:
    """Lines inside a cell are whole records, one after the other."""
    for cell in record:
        alone = 0
        for line in cell.splitlines()[1:-1]:
            alone = alone + 1 if stands_alone(line, layout.cutter, layout.width) else 0
            if alone and alone >= swallowed_from(layout.width):
                return True
    return False


def header_bytes(path: Path, layout: Layout) -> int:
    """Where the first row begins, in a file without quotes."""
    with path.open("rb") as file:
        for _ in range(layout.header_row + 1):
            file.readline()
        return file.tell()
