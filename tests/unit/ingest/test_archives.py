"""Archives: one file in one is read, everything else is refused with what was found."""

import gzip
import io
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from ingest.connectors import BadSource, archives
from ingest.connectors.csv import fingerprint, inspect, sample
from ingest.dialect import CsvOptions

CSV = b"name,age\nAsha,31\nBen,17\n"
ROWS = ({"name": "Asha", "age": 31}, {"name": "Ben", "age": 17})


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("people.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV))
    return target.getvalue()


def refusal(path: Path) -> BadSource:
    with pytest.raises(BadSource) as caught:
        inspect(path, CsvOptions())
    return caught.value


@pytest.mark.parametrize(
    ("content", "compression"),
    [
        (CSV, None),
        (gzip.compress(CSV), "gzip"),
        (gzip.compress(CSV[:12]) + gzip.compress(CSV[12:]), "gzip"),
        (zipped({"people.csv": CSV}), "zip"),
        (zipped({"people.csv": CSV}, zipfile.ZIP_STORED), "zip"),
        (
            zipped(
                {
                    "data/": b"",
                    "data/people.csv": CSV,
                    "__MACOSX/data/._people.csv": b"junk",
                    "data/.DS_Store": b"junk",
                }
            ),
            "zip",
        ),
        (zipped({"../../etc/people": CSV}), "zip"),
    ],
    # Archives hold the time at which they were made: no name for a test.
    ids=["plain", "gzip", "gzip twice", "zip", "stored zip", "zip of a Mac", "zip that climbs"],
)
def test_one_file_in_an_archive_is_read_whatever_it_is_called(write, content, compression):
    found = sample(write(content, "upload.bin"), CsvOptions(), 5)
    assert found.rows == ROWS
    assert found.inspection.dialect.compression == compression
    assert found.inspection.bytes == len(content)


def test_the_fingerprint_is_that_of_the_upload(write):
    content = gzip.compress(CSV)
    inner, outer = inspect(write(CSV), CsvOptions()), inspect(write(content, "gz"), CsvOptions())
    assert inner.sha256 != outer.sha256
    assert fingerprint(outer.sha256, CsvOptions()) != fingerprint(inner.sha256, CsvOptions())


def test_a_packed_file_of_another_encoding_is_read(write):
    path = write(gzip.compress("name,city\nJosé,Málaga\n".encode("utf-16")))
    assert sample(path, CsvOptions(), 5).rows == ({"name": "José", "city": "Málaga"},)


LOCKED = bytearray(zipped({"people.csv": CSV}))
LOCKED[6] |= 1
LOCKED[LOCKED.index(b"PK\x01\x02") + 8] |= 1


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (zipped({"a.csv": CSV, "b.csv": CSV}), "several_files", "2 files: 'a.csv', 'b.csv'"),
        (zipped({"__MACOSX/x": b"", "folder/": b""}), "empty_archive", "holds no file"),
        (zipped({}), "empty_archive", "holds no file"),
        (bytes(LOCKED), "encrypted_archive", "'people.csv' in the zip archive is protected"),
        (gzip.compress(gzip.compress(CSV)), "nested_archive", "holds a gzip archive"),
        (gzip.compress(tarred()), "nested_archive", "holds a tar archive"),
        (zipped({"a.zip": zipped({"a.csv": CSV})}), "nested_archive", "holds a zip archive"),
        (zipped({"word/document.xml": b"<w/>"}), "not_csv", "a Word document"),
        (gzip.compress(CSV * 99)[:-9], "damaged_archive", "cut off"),
        (gzip.compress(CSV)[:-8] + b"\0" * 8, "damaged_archive", "damaged"),
        (zipped({"a.csv": CSV})[:40], "damaged_archive", "damaged or cut off"),
        (zipped({"a.csv": CSV}, 0).replace(b"Asha", b"Asho"), "damaged_archive", "Bad CRC-32"),
        (b"PK\x03\x04rest", "damaged_archive", "damaged or cut off"),
        (gzip.compress(b""), "empty_file", "empty"),
        (gzip.compress(b"%PDF-1.7"), "not_csv", "a PDF document"),
    ],
    # Archives hold the time at which they were made: no name for a test.
    ids=[f"archive {n}" for n in range(15)],
)
def test_other_archives_are_refused_with_what_was_found(write, content, code, words):
    error = refusal(write(content))
    assert error.code == code
    assert words in error.message


def test_an_archive_that_says_less_than_it_holds_is_refused(write):
    """Other readers go on where the declared size ends."""
    honest = zipped({"a.csv": CSV})
    lying = honest.replace(len(CSV).to_bytes(4, "little"), (len(CSV) - 5).to_bytes(4, "little"))
    lying = lying.replace(
        zlib.crc32(CSV).to_bytes(4, "little"), zlib.crc32(CSV[:-5]).to_bytes(4, "little")
    )
    with zipfile.ZipFile(io.BytesIO(lying)) as archive:
        assert archive.read("a.csv") == CSV[:-5]
    assert refusal(write(lying)).code == "damaged_archive"


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped({"a.csv": content})])
def test_what_was_made_to_fill_disks_is_refused_before_it_does(write, pack, tmp_path):
    bomb = pack(b"0" * (archives.HARMLESS + (8 << 20)))
    assert len(bomb) < 1 << 20
    path = write(bomb)
    with pytest.raises(BadSource) as caught:
        inspect(path, CsvOptions(), tmp_path)
    assert caught.value.code == "archive_too_large"
    assert "100 times its own size" in caught.value.message
    assert [one.name for one in tmp_path.iterdir()] == ["upload.csv"]
