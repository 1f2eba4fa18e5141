"""CSV cases of our own, for what the shared corpus lacks: encodings, line ends, NULs, packed files.

`write(folder)` makes them as files with what they mean and a manifest, in the corpus' format.
"""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import openpyxl

Rows = Sequence[Sequence[str]]

_SCRIPTS: Rows = (
    ("नाम", "ስም", "الاسم", "name", "select", "code", "note"),
    ("राम", "አበበ", "سارة", "Asha", "1", "007", 'says "hi", twice'),
    ("सीता", "", "ليلى", "Ben", "2", "010", "two\nlines"),
    ("", "ከበደ", "", "Zoë", "3", "100", " spaces "),
)
_WESTERN: Rows = (
    ("Ort", "Gebühr", "Notiz"),
    ("Málaga", "3,50", "ab 9 Uhr™"),
    ("Århus", "1.200,00 €", "“quoted”"),
    ("Zürich", "", "x"),
)
_PLAIN: Rows = (
    ("id", "name", "amount"),
    ("1", "Asha", "1.50"),
    ("2", "Ben", ""),
    ("3", "Zoë", "20"),
)


@dataclass(frozen=True)
class Case:
    """A file, and the table that it means: the header first."""

    name: str
    content: bytes
    rows: Rows


def cases() -> Iterator[Case]:
    """All of them; small, and the same every time."""
    encoded = (
        ("utf8_bom", "utf-8-sig", ""),
        ("utf16_le_bom", "utf-16-le", "\ufeff"),
        ("utf16_be_bom", "utf-16-be", "\ufeff"),
        ("utf16_le", "utf-16-le", ""),
        ("utf16_be", "utf-16-be", ""),
        ("utf32_le_bom", "utf-32-le", "\ufeff"),
    )
    for name, encoding, mark in encoded:
        yield Case(name, (mark + _text(_SCRIPTS)).encode(encoding), _SCRIPTS)
    yield Case("cp1252_semicolon", _text(_WESTERN, ";").encode("cp1252"), _WESTERN)
    yield Case("cp1252_tab", _text(_WESTERN, "\t").encode("cp1252"), _WESTERN)
    for name, end in (("crlf", "\r\n"), ("lf", "\n"), ("cr", "\r")):
        yield Case(f"ends_{name}", _text(_PLAIN, end=end).encode(), _PLAIN)
        yield Case(f"ends_{name}_quoted", _text(_SCRIPTS, end=end, quoted=True).encode(), _SCRIPTS)
        yield Case(f"ends_{name}_not_last", _text(_PLAIN, end=end).rstrip().encode(), _PLAIN)
    lines = _text(_PLAIN).splitlines()
    mixed = "".join(map("".join, zip(lines, ("\r\n", "\n", "\r", "\r\n"), strict=True)))
    yield Case("ends_mixed", mixed.encode(), _PLAIN)
    yield Case("nul_inside", _text(_PLAIN).replace("Ben", "B\0en").encode(), _PLAIN)
    yield Case("nul_padding", _text(_PLAIN).encode() + b"\0" * 7, _PLAIN)
    yield Case("sep_line_bom", b"\xef\xbb\xbfsep=;\r\n" + _text(_PLAIN, ";").encode(), _PLAIN)
    yield Case("long_cell", _text(long := (*_PLAIN, ("4", "x, " * 200_000, "5"))).encode(), long)
    wide = tuple(tuple(f"{word} {n}" for n in range(1200)) for word in ("question", "a", "b"))
    yield Case("wide", _text(wide).encode(), wide)
    text = _text(_SCRIPTS).encode()
    yield Case("gzip", gzip.compress(text, mtime=0), _SCRIPTS)
    yield Case("gzip_utf16", gzip.compress(_text(_SCRIPTS).encode("utf-16"), mtime=0), _SCRIPTS)
    yield Case("zip", _zipped({"data.csv": text}), _SCRIPTS)
    yield Case("zip_macos", _zipped({"a/data.csv": text, "__MACOSX/a/._data.csv": b"x"}), _SCRIPTS)
    yield Case("xlsx", _workbook(_SCRIPTS), _SCRIPTS)
    yield Case("xlsx_titles", _workbook((("Report of 2024",), (), *_SCRIPTS, (), ())), _SCRIPTS)
    yield Case("xlsx_numbers", _workbook(_PLAIN, _cell), _PLAIN_NUMBERS)
    yield Case("zip_xlsx", _zipped({"book.xlsx": _workbook(_PLAIN)}), _PLAIN)


_PLAIN_NUMBERS: Rows = (
    _PLAIN[0],
    *((key, name, amount.replace("1.50", "1.5")) for key, name, amount in _PLAIN[1:]),
)


def write(folder: Path) -> None:
    """Make a folder of cases: files, what they mean, manifest.json."""
    folder.mkdir()
    listed = []
    for case in cases():
        file, expected = f"{case.name}.csv", f"{case.name}.expected.csv"
        (folder / file).write_bytes(case.content)
        (folder / expected).write_text(_text(case.rows), encoding="utf-8", newline="")
        listed.append({"file": file, "expected": expected})
    manifest = json.dumps({"set": "own", "cases": listed}, indent=1)
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")


def _text(rows: Rows, delimiter: str = ",", end: str = "\n", *, quoted: bool = False) -> str:
    target = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    csv.writer(target, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return target.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def _cell(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _workbook(rows: Rows, cell: Callable[[str], str | float] = str) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    for row in rows:
        sheet.append([cell(text) or None for text in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
