"""gzip and zip archives with one file in them, opened within bounds; members name no path."""

import copy
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from ingest.connectors import BadSource
from ingest.encoding import CHUNK

Compression = Literal["gzip", "zip"]

INFLATED = 4 << 30
"""Bytes that an archive may hold: four times the largest upload, and what can be looked through in
the time of a look. A load needs up to three copies on the scratch disk."""
RATIO = 100
"""Text seldom shrinks to less than a hundredth, deflate to a thousandth at the best: what is
beyond this was made to fill disks, or holds nothing but repetition."""
HARMLESS = 64 << 20
"""Bytes for which the ratio does not matter."""
MOST_MEMBERS = 10_000
"""Parts of a zip archive: a workbook has one for each sheet and picture."""
SHOWN = 5
_JUNK = ("__macosx/", "thumbs.db", "desktop.ini")
_ENCRYPTED = 0x1
_DAMAGED = "Make the archive again, or upload the file itself."


def gunzip(path: Path, target: Path) -> None:
    """Write what a gzip archive holds, parts in a row as one, to `target`. Raises BadSource."""
    try:
        with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as source:
            # By what was read so far, so that a bomb is known by its first part.
            _copy(source, target, packed.tell, INFLATED)
    except EOFError:
        raise BadSource(
            "damaged_archive", f"The gzip archive is cut off: its end is missing. {_DAMAGED}"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadSource(
            "damaged_archive", f"The gzip archive is damaged ({error}). {_DAMAGED}"
        ) from None


@contextmanager
def unzipping(path: Path) -> Iterator[zipfile.ZipFile]:
    """An open zip archive. What is wrong with it, now or while it is read, is a BadSource."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.stat().st_size)
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The disk's, not the archive's.
        raise BadSource(
            "damaged_archive",
            f"The zip archive is damaged or cut off ({_said(error)}). {_DAMAGED}",
        ) from None
    except NotImplementedError as error:
        raise BadSource(
            "unknown_compression",
            f"The zip archive is packed in a way that is not known here ({error}). Pack it again as "
            "an ordinary zip (deflate), or upload the file itself.",
        ) from None


def unzip(archive: zipfile.ZipFile, target: Path) -> None:
    """Write the one file of a zip archive to `target`. Raises BadSource."""
    members = [member for member in archive.infolist() if not _is_junk(member)]
    if not members:
        raise BadSource(
            "empty_archive", "The zip archive holds no file. Upload the file itself, or pack it."
        )
    if len(members) > 1:
        raise BadSource(
            "several_files",
            f"The zip archive holds {len(members)} files: {_names(members)}. One table comes from "
            "one file: upload them one by one.",
        )
    member = members[0]
    if member.flag_bits & _ENCRYPTED:
        raise BadSource(
            "encrypted_archive",
            f"The file {_names(members)} in the zip archive is protected with a password. Unpack "
            "it and upload the file itself.",
        )
    with _open(archive, member, INFLATED) as source:
        _copy(source, target, lambda: member.compress_size, INFLATED)
    _check_size(member, target.stat().st_size)


def check(archive: zipfile.ZipFile, limit: int) -> None:
    """Inflate all members once and keep nothing: they are sound and together within `limit` bytes.

    Raises BadSource; damage raises through `unzipping`.
    """
    declared = sum(member.file_size for member in archive.infolist())
    packed = sum(member.compress_size for member in archive.infolist())
    _check_bounds(declared, packed, limit)
    total = 0
    for member in archive.infolist():
        size = 0
        with _open(archive, member, limit) as source:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                _check_bounds(total + size, packed, limit)
        _check_size(member, size)
        total += size


@contextmanager
def _open(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> Iterator[IO[bytes]]:
    """A member as it is, not only as long as it says: other readers do not stop there."""
    _check_bounds(member.file_size, member.compress_size, limit)
    told = copy.copy(member)
    told.file_size = max(limit, member.file_size) + 1
    with archive.open(told) as source:
        yield source


def _copy(
    source: IO[bytes] | gzip.GzipFile, target: Path, packed: Callable[[], int], limit: int
) -> None:
    """`packed`: bytes of the archive that what was read so far may have come from."""
    size = 0
    with target.open("wb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            _check_bounds(size, packed(), limit)
            file.write(chunk)


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Raises BadSource for parts without end, or that share their bytes: each is inflated anew."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise BadSource(
            "archive_too_large",
            f"The zip archive holds {len(members):,} parts; {MOST_MEMBERS:,} are read at most. "
            "Upload the file itself, or save the workbook with fewer sheets.",
        )
    if sum(member.compress_size for member in members) > size:
        raise zipfile.BadZipFile("its parts overlap")


def _check_bounds(size: int, packed: int, limit: int) -> None:
    if size > limit or (size > HARMLESS and size > RATIO * packed):
        raise BadSource(
            "archive_too_large",
            f"The archive of {_megabytes(packed)} unpacks to more than {_megabytes(min(size, limit))}"
            f"; at most {_megabytes(limit)}, and {RATIO} times its own size, are read. Split the "
            "file, or upload it without packing it.",
        )


def _check_size(member: zipfile.ZipInfo, size: int) -> None:
    if size != member.file_size:
        raise zipfile.BadZipFile(f"{member.file_size} bytes are declared and {size} found")


def _is_junk(member: zipfile.ZipInfo) -> bool:
    """Folders, and what systems leave beside files."""
    name = member.filename.casefold().rpartition("/")[2]
    return (
        member.is_dir()
        or member.filename.casefold().startswith(_JUNK[0])
        or name in _JUNK
        or name == ".ds_store"
    )


def _names(members: Sequence[zipfile.ZipInfo]) -> str:
    more = ", …" if len(members) > SHOWN else ""
    return ", ".join(repr(member.filename[:80]) for member in members[:SHOWN]) + more


def _megabytes(size: int) -> str:
    return f"{max(size / (1 << 20), 0.1):,.1f} MB"


def _said(error: BaseException) -> str:
    return str(error)[:100] or "its end is missing"
