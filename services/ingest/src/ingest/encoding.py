"""From the bytes of a file to UTF-8 text: what it is, which encoding, whether it is sound."""

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

from ingest.connectors import BadSource, Notice

CHUNK = 1 << 20
HEAD = 1 << 16

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1a\x1b")
_AS_CSV = "Open it in the program that made it, save it as CSV (UTF-8) and upload that."


@dataclass(frozen=True)
class Text:
    """A file as UTF-8 text. `path` is the file itself when nothing had to be changed."""

    path: Path
    encoding: str
    sha256: str
    """Of the bytes as given, whatever they became."""
    bytes: int
    untouched: bool
    """True: valid UTF-8 without byte-order mark or NUL; it may go to the database as it is."""
    warnings: tuple[Notice, ...]


@dataclass(frozen=True)
class _Survey:
    sha256: str
    bytes: int
    nuls: int
    utf8_error: str | None


def as_text(path: Path, encoding: str | None, work: Path) -> Text:
    """Make a file readable as UTF-8, writing a copy into `work` only when it has to be.

    Reads in chunks; memory does not grow with the file. Raises BadSource with the codes
    `empty_file`, `not_csv`, `unknown_encoding`, `broken_encoding`.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise BadSource("empty_file", "The file is empty (0 bytes). Upload a file with a header.")
    bom, marked = next(((bom, name) for bom, name in _BOMS if head.startswith(bom)), (b"", None))
    wanted = _known(encoding) if encoding else marked or _wide(head)
    _refuse_binary(head, wide=(wanted or "").startswith(("utf-16", "utf-32")))
    survey = _survey(path, len(bom) if marked == "utf-8" else 0)
    warnings: list[Notice] = []
    if wanted is None:
        wanted = "utf-8" if survey.utf8_error is None else _eight_bit(path, survey.utf8_error)
        if wanted == "cp1252":
            warnings.append(
                Notice(
                    code="encoding_guessed",
                    message="The file is not UTF-8 and was read as Windows-1252 (Western "
                    "European). If letters look wrong, choose the encoding.",
                )
            )
    if survey.nuls and not wanted.startswith(("utf-16", "utf-32")):
        warnings.append(
            Notice(code="nul_removed", message=f"{survey.nuls} NUL characters were left out.")
        )
    if wanted == "utf-8" and survey.utf8_error is not None:
        raise _broken("UTF-8", survey.utf8_error)
    untouched = wanted == "utf-8" and not bom and not survey.nuls
    if untouched:
        target = path
    else:
        target = work / "text.csv"
        _transcode(path, wanted, len(bom) if marked == wanted else 0, target)
    return Text(target, wanted, survey.sha256, survey.bytes, untouched, tuple(warnings))


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except LookupError:
        raise BadSource(
            "unknown_encoding",
            f"The encoding {encoding!r} is not known. Use for example utf-8, utf-16, "
            "windows-1252, iso-8859-1 or windows-1251.",
        ) from None
    return "utf-8" if name == "utf-8-sig" else name


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: all NULs on one side of the pairs, and delimiters or line ends."""
    nuls = head.count(0)
    if nuls * 50 < len(head) or len(head) % 2:
        return None
    for side, name in ((0, "utf-16-le"), (1, "utf-16-be")):
        if not head[side::2].count(0):
            text = head.decode(name, "replace")
            return name if any(sign in text for sign in "\n\r,;\t|") else None
    return None


def _refuse_binary(head: bytes, *, wide: bool) -> None:
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise BadSource("not_csv", f"This is {what}, not a CSV file. {_AS_CSV}")
    if wide:
        return
    text = head.rstrip(b"\0")  # Some loggers fill their last block.
    controls = sum(1 for byte in text if byte < 32 and byte not in _TEXT_CONTROLS)
    if controls * 20 > len(text):
        raise BadSource("not_csv", f"This is a binary file, not a CSV file. {_AS_CSV}")


def _survey(path: Path, skip: int) -> _Survey:
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = nuls = 0
    error: str | None = None
    with path.open("rb") as file:
        digest.update(file.read(skip))
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            nuls += chunk.count(0) if 0 in chunk else 0
            if error is None:
                pending = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as problem:
                    before = size - len(chunk) + max(problem.start - pending, 0)
                    byte = problem.object[problem.start]
                    error = f"line {_line(path, skip + before)}, byte 0x{byte:02X}"
    if error is None and decoder.getstate()[0]:
        error = f"line {_line(path, skip + size)}, the last character is cut off"
    return _Survey(digest.hexdigest(), size + skip, nuls, error)


def _line(path: Path, place: int) -> int:
    """The number of the line in which a byte stands."""
    ends = 0
    with path.open("rb") as file:
        while place > 0 and (chunk := file.read(min(CHUNK, place))):
            ends += chunk.count(b"\n")
            place -= len(chunk)
    return ends + 1


def _eight_bit(path: Path, utf8_error: str) -> str:
    """Windows-1252, if the file is not rather a damaged UTF-8 one."""
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    western = codecs.getincrementaldecoder("cp1252")()
    good = bad = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = utf8.decode(chunk)
            damaged = text.count("\ufffd")
            bad += damaged
            good += len(text) - len(text.encode("ascii", "ignore")) - damaged
            try:
                western.decode(chunk)
            except UnicodeDecodeError:
                raise _broken("UTF-8 or Windows-1252", utf8_error) from None
    if good > bad:
        raise _broken("UTF-8", utf8_error)
    return "cp1252"


def _transcode(path: Path, encoding: str, skip: int, target: Path) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 0
    with path.open("rb") as source, target.open("wb") as file:
        source.read(skip)
        try:
            while chunk := source.read(CHUNK):
                text = decoder.decode(chunk)
                lines += text.count("\n")
                file.write(text.replace("\0", "").encode())
            file.write(decoder.decode(b"", final=True).encode())
        except UnicodeError:
            raise _broken(encoding, f"after line {lines + 1}") from None


def _broken(encoding: str, where: str) -> BadSource:
    return BadSource(
        "broken_encoding",
        f"The file is not valid {encoding} ({where}). Save it again as CSV UTF-8, or choose the "
        "encoding it was written in, for example windows-1252.",
    )
