"""Lines cut into cells, strictly or forgivingly; records joined from lines, one damaged at most."""

import csv
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

LONGEST_JOIN = 1000
"""Lines that one quoted cell may span in a file that has to be mended."""


class Open(Exception):
    """A quote is open at the end of the text: the cell may go on in the next line."""


class Broken(Exception):
    """A quote is followed by what no quoting allows, whatever comes in the next lines."""


@dataclass(frozen=True)
class Record:
    """Cells, where they stood, and whether the quotes had to be read forgivingly."""

    cells: list[str]
    line: int
    text: str
    damaged: bool = False

    @property
    def blank(self) -> bool:
        """It has no cell with more than blank space."""
        return not any(cell.strip() for cell in self.cells)


@dataclass(frozen=True)
class Cutter:
    """Knows delimiter, quote and escape, and cuts text with them."""

    delimiter: str
    quote: str
    escape: str
    spaced: bool = False
    """A space after every delimiter belongs to it."""

    @cached_property
    def _quoted(self) -> re.Pattern[str]:
        """A cell in sound quotes, up to the delimiter or the end; spaces around it are no text."""
        return re.compile(rf" *{self._opened}{self._q} *(?={self._d}|\Z)")

    @cached_property
    def _loosely_quoted(self) -> re.Pattern[str]:
        """A cell that ends at the first quote before a delimiter; quotes in it are not doubled."""
        return re.compile(rf" *{self._q}(.*?){self._q} *(?={self._d}|\Z)", re.DOTALL)

    @cached_property
    def _unclosed(self) -> re.Pattern[str]:
        return re.compile(rf" *{self._opened}\\?\Z")

    @cached_property
    def _quickly(self) -> type[csv.Dialect] | None:
        """For the `csv` module, where it reads sound lines as we do."""
        if len(self.delimiter) > 1 or self.spaced or self.escape != self.quote:
            return None
        said = {"delimiter": self.delimiter, "quotechar": self.quote, "strict": True}
        return type("Quickly", (csv.excel,), said)

    @cached_property
    def _apart(self) -> str:
        """A space before a quote: the `csv` module takes the quote for text then."""
        return f"{self.delimiter} {self.quote}"

    @property
    def _q(self) -> str:
        return re.escape(self.quote)

    @property
    def _d(self) -> str:
        return re.escape(self.delimiter)

    @property
    def _opened(self) -> str:
        q, inner = self._q, f"{self._q}{self._q}"
        if self.escape != self.quote:
            e = re.escape(self.escape)
            return rf"{q}([^{q}{e}]*(?:(?:{inner}|{e}[\s\S])[^{q}{e}]*)*)"
        return rf"{q}([^{q}]*(?:{inner}[^{q}]*)*)"

    def cut(self, text: str) -> list[str]:
        """The cells of a record. Raises Open and Broken."""
        if self.quote not in text:
            return self._bare(text)
        if self._quickly is not None and self._apart not in text:
            with suppress(csv.Error):
                return next(csv.reader((text,), self._quickly))
        cells: list[str] = []
        place = 0
        while place <= len(text):
            begins_quoted = text[place:].lstrip(" ").startswith(self.quote)
            if begins_quoted:
                found = self._quoted.match(text, place)
                if found is None:
                    raise (Open if self._unclosed.match(text, place) else Broken)
                cells.append(self._plain(found.group(1)))
                place = found.end()
            else:
                end = self._end(text, place)
                cells.append(self._unspaced(text[place:end], len(cells)))
                place = end
            place += len(self.delimiter)
        return cells

    def cut_damaged(self, text: str, width: int) -> list[str]:
        """The cells of one damaged line, in the first reading that gives `width` of them.

        Quotes inside quoted cells that nobody doubled; a lone quote among sound ones; all quotes
        as mere text. If none fits, the second.
        """
        alone = self._forgiving(text, self._quoted)
        for cells in (self._forgiving(text, self._loosely_quoted), alone, self._bare(text)):
            if len(cells) == width:
                return cells
        return alone

    def _forgiving(self, text: str, quoted: re.Pattern[str]) -> list[str]:
        cells: list[str] = []
        place = 0
        while place <= len(text):
            if found := quoted.match(text, place):
                cells.append(self._plain(found.group(1)))
                place = found.end()
            else:
                end = self._end(text, place)
                cells.append(self._unspaced(text[place:end], len(cells)))
                place = end
            place += len(self.delimiter)
        return cells

    def _bare(self, text: str) -> list[str]:
        cells = text.split(self.delimiter)
        if self.spaced:
            return [self._unspaced(cell, index) for index, cell in enumerate(cells)]
        return cells

    def _unspaced(self, cell: str, index: int) -> str:
        return cell[1:] if self.spaced and index and cell.startswith(" ") else cell

    def _end(self, text: str, place: int) -> int:
        end = text.find(self.delimiter, place)
        return len(text) if end < 0 else end

    def _plain(self, cell: str) -> str:
        cell = cell.replace(self.quote * 2, self.quote)
        if self.escape != self.quote:
            for sign in (self.quote, self.escape):
                cell = cell.replace(self.escape + sign, sign)
        return cell


def records(
    lines: Iterable[str], cutter: Cutter, width: int = 0, heads: int = 0
) -> Iterator[Record]:
    """Records from lines with their ends. A damaged one takes no neighbour with it.

    A quote that is open at the end of a line goes on in the next ones, unless these are whole
    records of `width` cells by themselves: then the quote is a stray one, as it is when it never
    ends. The first `heads` records are titles and header, which may have any width.
    """
    source = enumerate(lines, start=1)
    ahead: deque[tuple[int, str]] = deque()
    for count in itertools.count():
        begun = ahead.popleft() if ahead else next(source, None)
        if begun is None:
            return
        number, first = begun
        text = first.rstrip("\r\n")
        try:
            yield Record(cutter.cut(text), number, text)
            continue
        except Broken:
            pass
        except Open:
            joined = _joined(begun, source, ahead, cutter, 0 if count < heads else width)
            if joined is not None:
                yield joined
                continue
        yield Record(cutter.cut_damaged(text, width), number, text, damaged=True)


def _joined(
    begun: tuple[int, str],
    source: Iterator[tuple[int, str]],
    ahead: deque[tuple[int, str]],
    cutter: Cutter,
    width: int,
) -> Record | None:
    """The record that begins with an open quote; None, with all lines put back, if there is none."""
    taken: list[tuple[int, str]] = []
    number, whole = begun
    alone = 0
    while len(taken) < LONGEST_JOIN:
        following = ahead.popleft() if ahead else next(source, None)
        if following is None:
            break
        taken.append(following)
        alone = alone + 1 if stands_alone(following[1], cutter, width) else 0
        if alone and alone >= swallowed_from(width):
            break
        whole += following[1]
        if cutter.quote not in following[1]:
            continue
        text = whole.rstrip("\r\n")
        try:
            return Record(cutter.cut(text), number, text)
        except Open:
            continue
        except Broken:
            break
    ahead.extendleft(reversed(taken))
    return None


def swallowed_from(width: int) -> int:
    """How many whole records inside a cell are too many for prose (addresses hold commas too)."""
    return 1 if width > 4 else 3


def stands_alone(line: str, cutter: Cutter, width: int) -> bool:
    """The line is a whole record by itself; of two cells, any prose may be."""
    if width < 3:
        return False
    try:
        return len(cutter.cut(line.rstrip("\r\n"))) == width
    except (Open, Broken):
        return False
