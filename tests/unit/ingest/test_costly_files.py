"""Small files that were made to cost much: refused before the work that they would cause."""

import gzip
import io
import os
import struct
import zipfile

import openpyxl
import pytest

from ingest.connectors import BadSource, archives, workbook
from ingest.connectors.csv import inspect
from ingest.connectors.sheets.grid import Grid, Merge, head
from ingest.dialect import CsvOptions
from ingest.encoding import CHUNK

CELLS = (
    b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c></row>'
    b'<row r="2"><c r="A2"><v>1</v></c></row></sheetData>'
)
MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture
def changed(write):
    """Writes a workbook of one sheet, in which one part is another."""

    def changed(part: str, content: bytes):
        source, target = io.BytesIO(), io.BytesIO()
        openpyxl.Workbook().save(source)
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", 8) as new:
            for name in old.namelist():
                new.writestr(name, content if name == part else old.read(name))
        return write(target.getvalue(), "costly")

    return changed


@pytest.fixture
def spreadsheet(write):
    """Writes an ODS whose one table has these rows."""

    def spreadsheet(rows: bytes):
        target = io.BytesIO()
        names = b"".join(
            b' xmlns:%s="urn:oasis:names:tc:opendocument:xmlns:%s:1.0"' % (name, name)
            for name in (b"office", b"table", b"text")
        )
        with zipfile.ZipFile(target, "w", 8) as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            archive.writestr("META-INF/manifest.xml", "<manifest/>")
            archive.writestr(
                "content.xml",
                b"<office:document-content%s><office:body><office:spreadsheet>"
                b'<table:table table:name="T">%s</table:table>'
                b"</office:spreadsheet></office:body></office:document-content>" % (names, rows),
            )
        return write(target.getvalue(), "costly")

    return spreadsheet


def refusal(path, work=None) -> BadSource:
    with pytest.raises(BadSource) as caught:
        inspect(path, CsvOptions(), work)
    return caught.value


def test_half_a_million_merged_ranges_are_counted_and_not_read(changed):
    merges = b'<mergeCell ref="A1:XFD1048576"/>' * 500_000
    sheet = b'<worksheet xmlns="%s">%s<mergeCells>%s</mergeCells></worksheet>'
    path = changed("xl/worksheets/sheet1.xml", sheet % (MAIN, CELLS, merges))
    assert path.stat().st_size < 100_000
    error = refusal(path)
    assert error.code == "too_many_merges"
    assert "500,000 merged ranges; 100,000 are read at most" in error.message


def test_merges_that_overlap_are_refused_before_each_is_looked_at_for_each_cell():
    merges = [Merge(0, 300, column % 50, 16_384) for column in range(workbook.MOST_MERGES)]
    grid = Grid([["name", "age"]] * 300, [["name", "age"]] * 300)
    with pytest.raises(BadSource) as caught:
        head(grid, [2] * 300, merges, None)
    assert "overlap" in caught.value.message


def test_merges_below_the_header_cost_nothing():
    merges = [Merge(row, row + 2, 0, 1) for row in range(1000, 60_000, 2)]
    grid = Grid([["name", "age"]] * 200, [["name", "age"]] * 200)
    assert head(grid, [2] * 60_000, merges, None).names == ("name", "age")


def test_sheets_without_end_are_counted(changed):
    relation = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheets = b"".join(
        b'<sheet name="S%d" sheetId="%d" r:id="rId1"/>' % (n, n)
        for n in range(1, workbook.MOST_SHEETS + 2)
    )
    book = b'<workbook xmlns="%s" xmlns:r="%s"><sheets>%s</sheets></workbook>'
    error = refusal(changed("xl/workbook.xml", book % (MAIN, relation, sheets)))
    assert error.code == "too_large"
    assert "1,001 sheets" in error.message


ONE = b'<table:table-cell office:value-type="float" office:value="1"/>'
MANY = ONE.replace(b"<table:table-cell", b'<table:table-cell table:number-columns-repeated="1000"')
BLANK = b'<table:table-cell table:number-columns-repeated="16383"/>'
ROW = b"<table:table-row>%s</table:table-row>"
ROWS = b'<table:table-row table:number-rows-repeated="%d">%s</table:table-row>'


@pytest.mark.parametrize(
    "rows",
    [ROWS % (1_048_576, MANY), ROW % ONE + ROWS % (1_048_574, BLANK) + ROW % (BLANK + ONE)],
    ids=["one row a million times", "two cells far apart"],
)
def test_repeated_rows_of_an_ods_are_counted_before_they_are_made(spreadsheet, rows):
    assert refusal(spreadsheet(rows)).code == "too_large"


def test_a_gzip_bomb_is_known_by_its_first_part_whatever_follows(write, tmp_path):
    # What was packed is a tenth of a hundredth of it only if all of the upload is counted.
    bomb = gzip.compress(b"0" * (3 * archives.HARMLESS), 1) + gzip.compress(os.urandom(4 << 20), 0)
    target = tmp_path / "unpacked"
    with pytest.raises(BadSource) as caught:
        archives.gunzip(write(bomb, "bomb"), target)
    assert caught.value.code == "archive_too_large"
    assert target.stat().st_size <= archives.HARMLESS + CHUNK


def test_parts_of_a_zip_that_share_their_bytes_are_refused(write):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", 8) as archive:
        archive.writestr("a.csv", b"0" * 100_000)
    honest = target.getvalue()
    at = honest.index(b"PK\x01\x02")
    end = honest.index(b"PK\x05\x06")
    entry = honest[at:end]
    # The same member a thousand times, every entry pointing at the one that is there.
    entries = entry * 1000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(entries), at, 0)
    error = refusal(write(honest[:at] + entries + tail, "overlapping"))
    assert error.code == "damaged_archive"
    assert "overlap" in error.message


def test_a_zip_of_very_many_parts_is_refused_by_their_number(write):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(archives.MOST_MEMBERS + 1):
            archive.writestr(str(number), b"")
    error = refusal(write(target.getvalue(), "many"))
    assert error.code == "archive_too_large"
    assert "10,001 parts" in error.message


def test_the_cells_of_all_tables_of_an_ods_are_counted_before_any_is_made(spreadsheet):
    # As few bytes as it takes; each table alone would do.
    table = ROWS % (11_000, MANY) + b"</table:table><table:table table:name='U'>"
    error = refusal(spreadsheet(table + ROWS % (11_000, MANY)))
    assert error.code == "too_large"
    assert "20,000,000 cells together" in error.message


def test_blank_cells_of_an_ods_do_not_count(spreadsheet):
    blank = ROWS % (1_000_000, BLANK)
    rows = ROW % ONE + ROW % (ONE + BLANK) + blank
    assert inspect(spreadsheet(rows), CsvOptions()).columns
