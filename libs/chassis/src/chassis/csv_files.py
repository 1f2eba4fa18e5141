"""CSV files that people open in a spreadsheet: no cell of them is run as a formula.

Source: OWASP, "CSV Injection": a cell that begins with one of these characters may be evaluated.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from urllib.parse import quote

_RUN = re.compile("[ \u00a0]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet may run; the last four are the full-width forms of the first four."""

_NUMBER = re.compile(r"[+-]?(\d{1,3}([ ,]\d{3})+|\d+)?([.,]\d+)?([eE][+-]?\d{1,4})?%?", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
_CELL_LIMIT = 2**31 - 1
_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\"\\/:*?<>|]+")


def escaped(cell: str) -> str:
    """The cell behind an apostrophe if a spreadsheet could run it; numbers such as -5 stay."""
    if _RUN.match(cell) is None or (_NUMBER.fullmatch(cell) and _DIGIT.search(cell)):
        return cell
    return f"'{cell}"


def rows(records: Iterable[Sequence[str]], *, escape: bool = True) -> str:
    """Records as CSV (RFC 4180), with cells escaped unless asked not to."""
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    for record in records:
        writer.writerow([escaped(cell) for cell in record] if escape else record)
    return target.getvalue()


class Rewriter:
    """Escapes the cells of a CSV file (UTF-8, as Python writes it) that comes piece by piece."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        """Of the record that is not complete yet: joined once, however many pieces it takes."""
        self._is_quoted = False
        """Whether what comes next stands in quotes."""
        csv.field_size_limit(_CELL_LIMIT)

    def feed(self, piece: bytes) -> bytes:
        """The records that are complete with this piece."""
        end = _last_record_end(piece, self._is_quoted)
        self._is_quoted ^= piece.count(b'"') % 2 == 1
        if end == 0:
            self._pending.append(piece)
            return b""
        whole = b"".join([*self._pending, piece[:end]])
        self._pending = [piece[end:]]
        return _rewritten(whole)

    def close(self) -> bytes:
        """What was left, of a file whose last line has no end."""
        rest, self._pending = b"".join(self._pending), []
        return _rewritten(rest)


def attachment(filename: str) -> str:
    """Content-Disposition for a file of this name (RFC 6266): ASCII, and the name as it is."""
    name = _UNSAFE_NAME.sub(" ", filename).strip(" .")[:150] or "file"
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def escaping(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A CSV file with its cells escaped, as it streams by."""
    rewriter = Rewriter()
    async for chunk in chunks:
        for start in range(0, len(chunk), _AT_ONCE):
            if done := rewriter.feed(chunk[start : start + _AT_ONCE]):
                yield done
    if rest := rewriter.close():
        yield rest


_AT_ONCE = 64 * 1024
"""Bytes between two turns of others on the event loop: about a millisecond's work."""


def _last_record_end(data: bytes, is_quoted: bool) -> int:
    """Behind the last line end outside quotes; 0 when there is none. `is_quoted`: it begins in them."""
    end = len(data)
    parts = data.split(b'"')
    for index in range(len(parts) - 1, -1, -1):
        start = end - len(parts[index])
        if index % 2 == is_quoted and (place := parts[index].rfind(b"\n")) >= 0:
            return start + place + 1
        end = start - 1
    return 0


def _rewritten(data: bytes) -> bytes:
    text = io.StringIO(data.decode(), newline="")
    return rows(csv.reader(text)).encode()
