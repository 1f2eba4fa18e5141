"""Whatever was uploaded as one file of delimited text: archives unpacked, a sheet written out."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.connectors import BadSource, Notice
from ingest.connectors.archives import Compression, gunzip, unzip, unzipping
from ingest.connectors.workbook import OLE, Kind, kind_of_zip, require_xls, write
from ingest.dialect import CsvOptions, Dialect
from ingest.encoding import Text

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TAR = slice(257, 262)


@dataclass(frozen=True)
class Plain:
    """A file that may be delimited text, and how to read it; `given` is the upload itself."""

    given: Path
    path: Path
    options: CsvOptions
    compression: Compression | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    header_row: int | None = None
    """Of the sheet: rows before its header."""
    warnings: tuple[Notice, ...] = ()

    def as_given(self, text: Text) -> Text:
        """The text with size and hash of the upload, not of what was made of it."""
        if self.path == self.given:
            return text
        with self.given.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return replace(
            text,
            sha256=digest,
            bytes=self.given.stat().st_size,
            warnings=(*self.warnings, *text.warnings),
        )

    def shown(self, dialect: Dialect) -> Dialect:
        """What was detected, as a person can say it again; a sheet has no delimiter."""
        told: dict[str, object] = {"compression": self.compression}
        if self.sheet is not None:
            told |= {"sheet": self.sheet, "sheets": self.sheets, "header_row": self.header_row}
            told |= dict.fromkeys(("delimiter", "quote", "escape", "encoding"), "")
        return dialect.model_copy(update=told)


def as_plain(path: Path, options: CsvOptions, work: Path) -> Plain:
    """Look at the first bytes, never at a name; what is made goes to `work`. Raises BadSource."""
    plain = Plain(path, path, options)
    head = _head(path)
    if head.startswith(GZIP):
        gunzip(path, work / "unpacked")
        plain = replace(plain, path=work / "unpacked", compression="gzip")
    elif head.startswith(ZIP):
        with unzipping(path) as archive:
            kind = kind_of_zip(archive)
            if kind is not None:
                return _of_workbook(plain, kind, work)
            unzip(archive, work / "unpacked")
        plain = replace(plain, path=work / "unpacked", compression="zip")
    if plain.compression is not None:
        head = _head(plain.path)
        if head[_TAR] == b"ustar":
            raise _nested(plain.compression, "a tar archive")
        if head.startswith(GZIP):
            raise _nested(plain.compression, "a gzip archive")
        if head.startswith(ZIP):
            with unzipping(plain.path) as archive:
                kind = kind_of_zip(archive)
            if kind is None:
                raise _nested(plain.compression, "a zip archive")
            return _of_workbook(plain, kind, work)
    if head.startswith(OLE):
        require_xls(plain.path)
        return _of_workbook(plain, "xls", work)
    if options.sheet is not None:
        raise BadSource(
            "no_sheets",
            f"The file is no workbook and has no sheet {options.sheet!r}: leave the sheet out.",
        )
    return plain


def _of_workbook(plain: Plain, kind: Kind, work: Path) -> Plain:
    options = plain.options
    target = work / "sheet.csv"
    found = write(plain.path, kind, options.sheet, options.header_row, target)
    return replace(
        plain,
        path=target,
        options=options.model_copy(
            update={
                "delimiter": ",",
                "quote": '"',
                "escape": '"',
                "encoding": "utf-8",
                "header_row": min(found.header_row, 0),
            }
        ),
        sheet=found.sheet,
        sheets=found.sheets,
        header_row=found.header_row,
        warnings=found.warnings,
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def _nested(compression: Compression, what: str) -> BadSource:
    return BadSource(
        "nested_archive",
        f"The {compression} archive holds {what}. Unpack it and upload the file that is inside.",
    )
