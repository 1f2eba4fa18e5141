"""What a sheet's XML says and calamine does not: how far it reaches, failed formulas, zero padding."""

import posixpath
import re
import zipfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from ingest.encoding import CHUNK

KEPT = 5
"""Failed formulas whose places are kept."""
_CELL = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_PADDED = re.compile(r"0{2,30}")
_COLUMNS_BITS = 14

Start = Callable[[str, dict[str, str]], object]


@dataclass
class Marks:
    """What was seen in one sheet; rows and columns count from 0."""

    cells: int = 0
    """Those with a value."""
    rows: int = 0
    columns: int = 0
    merges: int = 0
    errors: int = 0
    first_errors: dict[tuple[int, int], str] = field(default_factory=dict)
    _places: "array[int]" = field(default_factory=lambda: array("q"))
    _digits: bytearray = field(default_factory=bytearray)

    def pad(self, row: int, column: int, digits: int) -> None:
        """Remember a number that is shown with leading zeros."""
        self._places.append(row << _COLUMNS_BITS | column)
        self._digits.append(digits)

    def padded(self) -> Iterator[tuple[int, int, int]]:
        """Row, column and number of digits of such numbers, as they stand in the file."""
        mask = (1 << _COLUMNS_BITS) - 1
        for place, digits in zip(self._places, self._digits, strict=True):
            yield place >> _COLUMNS_BITS, place & mask, digits


@dataclass(frozen=True)
class Parts:
    """What holds for all sheets of a workbook, read once however many there are."""

    sheets: Mapping[str, str]
    """The part that holds each sheet."""
    padded: Mapping[str, int]
    """Styles, by the number that cells name, that show zeros in front; with how many digits."""


def parts(archive: zipfile.ZipFile) -> Parts:
    """Raises KeyError, ValueError and expat.ExpatError where the workbook is damaged."""
    return Parts(_members(archive), _padded_styles(archive))


def marks(archive: zipfile.ZipFile, known: Parts, sheet: str) -> Marks:
    """Read the XML of a sheet once; memory grows only with the numbers that are padded.

    Raises KeyError, ValueError and expat.ExpatError where the workbook is damaged.
    """
    padded = known.padded
    found = Marks()
    row = count = 0
    cell: dict[str, str] = {}
    last: tuple[dict[str, str], int] | None = None
    failed: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        # Called for every cell twice: what only some need comes last.
        nonlocal row, count, cell, last
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "c":
            cell = attributes
            count += 1
        elif name in {"v", "is"}:
            found.cells += 1
            last = cell, count
            kind = cell.get("t")
            if kind == "e":
                found.errors += 1
                if len(found.first_errors) < KEPT:
                    failed.clear()
                    reading.CharacterDataHandler = failed.append
                    reading.EndElementHandler = end
            elif padded and kind in {None, "n"} and (digits := padded.get(cell.get("s", ""))):
                found.pad(row - 1, _column(cell, count), digits)
        elif name == "mergeCell":
            found.merges += 1
        elif name == "row":
            finish()
            row = int(attributes.get("r", row + 1))
            count = 0

    def end(_: str) -> None:
        found.first_errors[row - 1, _column(cell, count)] = "".join(failed)
        reading.CharacterDataHandler = reading.EndElementHandler = None

    def finish() -> None:
        """A row is over; its last cell with a value tells how far it reaches."""
        nonlocal last
        if last is not None:
            found.rows = max(found.rows, row)
            found.columns = max(found.columns, _column(*last) + 1)
            last = None

    reading = parser(start)
    with archive.open(known.sheets[sheet]) as source:
        while chunk := source.read(CHUNK):
            reading.Parse(chunk, False)
        reading.Parse(b"", True)
    finish()
    return found


def parser(start: Start) -> expat.XMLParserType:
    """Knows no document type, so no entities that grow."""

    def refuse(*_: object) -> None:
        raise ValueError("a document type is declared")

    made = expat.ParserCreate()
    made.buffer_text = True
    made.StartElementHandler = start
    made.StartDoctypeDeclHandler = refuse
    return made


def _elements(archive: zipfile.ZipFile, part: str) -> list[tuple[str, dict[str, str]]]:
    """All elements of a small part, in their order, without prefixes."""
    found: list[tuple[str, dict[str, str]]] = []
    reading = parser(lambda name, said: found.append((name.rpartition(":")[2], said)))
    reading.Parse(archive.read(part), True)
    return found


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The parts that hold sheets, found as readers do: by their relations to the workbook."""
    targets = {
        said["Id"]: said["Target"]
        for name, said in _elements(archive, "xl/_rels/workbook.xml.rels")
        if name == "Relationship"
    }
    found: dict[str, str] = {}
    for name, said in _elements(archive, "xl/workbook.xml"):
        if name == "sheet" and "name" in said:
            relation = next((value for key, value in said.items() if key.endswith(":id")), "")
            target = targets.get(relation, "")
            part = target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")
            found.setdefault(said["name"], part)
    return found


def _padded_styles(archive: zipfile.ZipFile) -> dict[str, int]:
    if "xl/styles.xml" not in archive.namelist():
        return {}
    formats: dict[str, int] = {}
    styles: list[str] = []
    within = ""
    for name, said in _elements(archive, "xl/styles.xml"):
        if name in {"cellStyleXfs", "cellXfs"}:
            within = name
        elif name == "numFmt" and _PADDED.fullmatch(code := said.get("formatCode", "")):
            formats[said.get("numFmtId", "")] = len(code)
        elif name == "xf" and within == "cellXfs":
            styles.append(said.get("numFmtId", ""))
    return {str(index): formats[one] for index, one in enumerate(styles) if one in formats}


def _column(cell: dict[str, str], count: int) -> int:
    """The column of a cell, from 0: by its place (`AB12`), else the next of its row."""
    place = _CELL.fullmatch(cell.get("r", ""))
    if place is None:
        return count - 1
    number = 0
    for letter in place[1]:
        number = number * 26 + ord(letter) - 64
    return number - 1
