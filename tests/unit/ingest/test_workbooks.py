"""Sheets of workbooks: which one is read, what its cells become, and what is refused."""

import datetime as dt
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from ingest.connectors import BadSource
from ingest.connectors.csv import inspect, opened, sample
from ingest.dialect import CsvOptions

moment = dt.datetime.fromisoformat


@pytest.fixture
def book(write):
    """Writes sheets (rows of cells; a cell may be a value and its number format) as XLSX."""

    def book(*, hidden: tuple[str, ...] = (), merge: tuple[str, ...] = (), **sheets) -> Path:
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.worksheets[0])
        for name, rows in sheets.items():
            sheet = workbook.create_sheet(name)
            for row, cells in enumerate(rows, start=1):
                for column, cell in enumerate(cells, start=1):
                    value, shown = cell if isinstance(cell, tuple) else (cell, None)
                    target = sheet.cell(row, column, value)
                    if shown:
                        target.number_format = shown
            for area in merge:
                sheet.merge_cells(area)
            sheet.sheet_state = "hidden" if name in hidden else "visible"
        target = io.BytesIO()
        workbook.save(target)
        return write(target.getvalue(), "upload")

    return book


def texts(path: Path, **options) -> list[list[object]]:
    found = sample(path, CsvOptions(types="text", **options), 100)
    return [list(row.values()) for row in found.rows]


def codes(path: Path, **options) -> list[str]:
    return [warning.code for warning in inspect(path, CsvOptions(**options)).warnings]


def refusal(path: Path, **options) -> BadSource:
    with pytest.raises(BadSource) as caught:
        inspect(path, CsvOptions(**options))
    return caught.value


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (-0.5, "-0.5"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (123456789012345, "123456789012345"),
        (1e20, "100000000000000000000"),
        ((0.456, "0%"), "0.456"),
        ((1234.5, '"$"#,##0.00'), "1234.5"),
        ((7, "00000"), "00007"),
        ((123456, "0000"), "123456"),
        ("007", "007"),
        (" a b ", " a b "),
        ('say "hi",\nthen', 'say "hi",\nthen'),
        (True, "true"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (moment("2024-02-29 10:05:07"), "2024-02-29 10:05:07"),
        (moment("2024-02-29 23:59:59.999000"), "2024-02-29 23:59:59.999"),
        (dt.time(9, 5), "09:05:00"),
        (dt.timedelta(hours=30, minutes=5), "30:05:00"),
    ],
)
def test_a_cell_becomes_exact_text(book, cell, text):
    assert texts(book(Data=[["key", "x"], ["k", cell]])) == [["k", text]]


def test_columns_are_typed_as_those_of_text_are(book):
    path = book(
        Data=[
            ["name", "n", "amount", "day", "seen", "ok", "code"],
            ["a", 1.0, 1.5, dt.date(2024, 2, 29), moment("2024-01-01 00:00:00"), True, (7, "000")],
            ["b", 2, None, dt.date(2024, 3, 1), moment("2024-01-01 09:30:00"), False, (12, "000")],
        ]
    )
    found = sample(path, CsvOptions(), 5)
    assert [column.type for column in found.inspection.columns] == [
        *("text", "integer", "decimal", "date", "timestamp", "boolean", "text")
    ]
    assert list(found.rows[0].values()) == [
        *("a", 1, 1.5, "2024-02-29", "2024-01-01T00:00:00", True, "007")
    ]


def test_the_first_visible_sheet_with_cells_is_read_and_the_others_are_told(book):
    path = book(
        Secret=[["s"], [1]], Empty=[], Data=[["a", "b"], [1, 2]], More=[["c"]], hidden=("Secret",)
    )
    found = inspect(path, CsvOptions())
    assert [column.display_name for column in found.columns] == ["a", "b"]
    assert (found.dialect.sheet, found.dialect.header_row) == ("Data", 0)
    assert found.dialect.sheets == ("Secret", "Empty", "Data", "More")
    assert found.dialect.delimiter == found.dialect.encoding == ""
    (warning,) = found.warnings
    assert warning.code == "sheet_chosen"
    assert "'Data' was read; the others were not: 'Secret', 'Empty', 'More'" in warning.message


def test_a_sheet_is_chosen_by_its_name(book):
    path = book(Data=[["a"], [1]], More=[["b", "c"], ["x", "y"]])
    assert texts(path, sheet="More") == [["x", "y"]]
    error = refusal(path, sheet="Mor")
    assert error.code == "no_such_sheet"
    assert "'Data', 'More'" in error.message


def test_titles_above_merges_over_and_blank_rows_below_the_header(book):
    path = book(
        Data=[
            ["Report of 2024"],
            [],
            ["who", "score", None, "note"],
            ["Asha", 1, 2, "x"],
            [],
            ["Bo", 3, 4],
            [None, None, None, " "],
            [],
        ],
        merge=("B3:C3",),
    )
    found = sample(path, CsvOptions(), 9)
    assert [list(row.values()) for row in found.rows] == [["Asha", 1, 2, "x"], ["Bo", 3, 4, None]]
    assert list(found.rows[0]) == ["who", "score", "score_2", "note"]
    assert found.inspection.dialect.header_row == 2
    assert codes(path) == ["lines_before_header", "merged_header", "duplicate_header", "blank_rows"]


@pytest.mark.parametrize(
    ("row", "names"), [(0, ["a", "b"]), (1, ["1", "2"]), (-1, ["column_1", "column_2"])]
)
def test_the_word_of_the_user_on_the_header_wins(book, row, names):
    path = book(Data=[["a", "b"], [1, 2], [3, 4]])
    found = inspect(path, CsvOptions(header_row=row))
    assert [column.display_name for column in found.columns] == names
    assert found.rows == 2 - row
    assert found.dialect.header_row == row


def test_a_row_that_is_no_header_is_refused(book):
    assert refusal(book(Data=[["a"], [1]]), header_row=9).code == "no_header"


def test_cells_with_an_error_are_empty_and_told_with_their_places(book):
    path = book(Data=[["a", "b"], [1, "#N/A"], [2, 5], ["#DIV/0!", 6]])
    found = sample(path, CsvOptions(), 5)
    assert [list(row.values()) for row in found.rows] == [[1, None], [2, 5], [None, 6]]
    (warning,) = found.inspection.warnings
    assert warning.code == "formula_errors"
    assert "2 cells" in warning.message
    assert "#N/A in row 2 of 'b', #DIV/0! in row 4 of 'a'" in warning.message


def test_a_date_gets_a_time_only_where_the_column_has_one(book):
    path = book(
        Data=[
            ["made", moment("2024-01-01 08:00:00")],
            [],
            ["a", "b"],
            [moment("2024-01-01 09:00:00"), dt.date(2024, 1, 1)],
            [dt.date(2024, 1, 2), dt.date(2024, 1, 2)],
        ]
    )
    assert texts(path, header_row=2) == [
        ["2024-01-01 09:00:00", "2024-01-01"],
        ["2024-01-02 00:00:00", "2024-01-02"],
    ]


def test_texts_that_look_like_csv_stay_text(book):
    rows = [["a", "b"], ["sep=;", "x_x000D_y"], ['\\"', "'q'"], [" 1", " 2"], ["\\.", "a\nb"]]
    rows_read = [["sep=;", "x\ry"], *rows[2:]]
    assert texts(book(Data=rows)) == rows_read


def test_a_packed_workbook_is_read(book, write):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(book(Data=[["a"], [1]]), "book.xlsx")
    found = inspect(write(target.getvalue(), "packed"), CsvOptions())
    assert (found.dialect.compression, found.dialect.sheet, found.rows) == ("zip", "Data", 1)


def test_a_workbook_is_written_with_its_columns_and_nothing_else(book, tmp_path):
    with opened(book(Data=[["a", "b"], [1, "x"]]), CsvOptions()) as file:
        file.write(tmp_path / "clean.csv")
        assert (tmp_path / "clean.csv").read_text(encoding="utf-8").split() == ["a,b", "1,x"]


def test_a_workbook_with_a_password_is_refused(book, write):
    locked = io.BytesIO()
    with book(Data=[["a"]]).open("rb") as file:
        OOXMLFile(file).encrypt("secret", locked)
    error = refusal(write(locked.getvalue(), "locked"))
    assert error.code == "encrypted_workbook"
    assert "Save a copy without one" in error.message


def test_an_empty_workbook_is_refused(book):
    assert refusal(book(Data=[], More=[])).code == "empty_sheet"
    assert refusal(book(Data=[], More=[]), sheet="More").code == "empty_sheet"


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/workbook.xml", b"<workbook"),
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row><c"),
        ("xl/worksheets/sheet1.xml", None),
        ("xl/sharedStrings.xml", b"<sst"),
        ("xl/styles.xml", b"<styleSheet"),
    ],
)
def test_a_damaged_workbook_is_refused_with_the_way_out(book, write, part, content):
    error = refusal(write(_changed(book(Data=[["a"], ["x"]]), part, content), "damaged"))
    assert error.code == "damaged_workbook"
    assert "save it again as XLSX" in error.message


def test_a_workbook_that_is_cut_off_is_refused(book, write):
    content = book(Data=[["a"], ["x"]]).read_bytes()
    assert refusal(write(content[: len(content) // 2], "cut")).code == "damaged_archive"


def test_a_sheet_that_reaches_too_far_is_refused_before_it_takes_memory(book, write):
    far = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row>'
        b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    path = book(Data=[["a"]])
    error = refusal(write(_changed(path, "xl/worksheets/sheet1.xml", far), "far"))
    assert error.code == "too_large"
    assert "1,048,576 rows and 16,384 columns" in error.message


def test_a_workbook_that_unpacks_to_too_much_is_refused(book, write):
    bomb = _changed(book(Data=[["a"]]), "xl/media/image1.png", b"0" * (300 << 20))
    assert refusal(write(bomb, "bomb")).code == "archive_too_large"


@pytest.mark.parametrize("name", ["\u0905\u0902\u0915", "a & <b>", 'Tab "2"\'s'])
def test_sheets_are_found_by_any_name(book, name):
    assert inspect(book(**{name: [["a"], [1]]}), CsvOptions(sheet=name)).rows == 1


def test_an_old_office_file_without_a_table_is_refused(write):
    error = refusal(write(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3000))
    assert error.code == "not_csv"
    named = "Workbook".encode("utf-16-le")
    assert (
        refusal(write(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + named * 99)).code == "damaged_workbook"
    )


def test_a_sheet_of_a_file_that_has_none_is_refused(write):
    assert refusal(write("a,b\n1,2\n"), sheet="Data").code == "no_sheets"


def _changed(path: Path, part: str, content: bytes | None) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.namelist():
            if one != part:
                new.writestr(one, old.read(one))
        if content is not None:
            new.writestr(part, content)
    return target.getvalue()
