"""Delimiters with spaces, quotes of other kinds, and which record is the header, if any."""

import hashlib
import json
from pathlib import Path

import pytest

from ingest.connectors.csv import CONNECTOR_VERSION, fingerprint, inspect, opened, sample
from ingest.dialect import CsvOptions


def names(path: Path, **options) -> list[str]:
    found = inspect(path, CsvOptions(types="text", **options))
    return [column.display_name for column in found.columns]


def rows(path: Path, **options) -> list[list[object]]:
    return [
        list(row.values()) for row in sample(path, CsvOptions(types="text", **options), 99).rows
    ]


def codes(path: Path) -> list[str]:
    return [warning.code for warning in inspect(path, CsvOptions()).warnings]


@pytest.mark.parametrize("delimiter", [", ", "; "])
def test_a_space_after_every_delimiter_belongs_to_it(write, delimiter):
    path = write('energy (MeV), n\n0.1, "x, y"\n0.2, \n'.replace(", ", delimiter))
    assert names(path) == ["energy (MeV)", "n"]
    assert rows(path) == [["0.1", f"x{delimiter}y"], ["0.2", None]]
    assert inspect(path, CsvOptions()).dialect.delimiter == delimiter


def test_spaces_after_some_delimiters_are_part_of_the_cells(write):
    path = write("date, amount ,what\n1/2/2020, 5.0,a b\n1/3/2020,6.0,c\n")
    assert names(path) == ["date", " amount ", "what"]
    assert rows(path) == [["1/2/2020", " 5.0", "a b"], ["1/3/2020", "6.0", "c"]]


def test_a_row_without_the_space_is_read_all_the_same(write):
    path = write("a, b, c\n" + "1, 2, 3\n" * 60 + "4,5, 6\n")
    assert rows(path)[60] == ["4", "5", "6"]


def test_a_delimiter_of_several_signs_can_be_said(write):
    assert rows(write("a||b\n1|2||3\n"), delimiter="||") == [["1|2", "3"]]
    assert rows(write('a, b\n1, "2, 3"\n'), delimiter=", ") == [["1", "2, 3"]]


def test_apostrophes_around_cells_are_quotes(write):
    path = write("name,note\n'Asha','well, almost'\n'Bo','it''s fine'\n")
    assert rows(path) == [["Asha", "well, almost"], ["Bo", "it's fine"]]
    assert inspect(path, CsvOptions()).dialect.quote == "'"


def test_apostrophes_in_words_are_text(write):
    path = write("name,note\nMen's Boots,'tis fine\nKids' Hat,rock 'n' roll\n")
    assert rows(path) == [["Men's Boots", "'tis fine"], ["Kids' Hat", "rock 'n' roll"]]


@pytest.mark.parametrize(
    "content",
    [
        "399.1,74.3\n401.1,73.7\n403.0,72.7\n",
        "22;19;20\n27;19;16\n29;19;25\n",
        "28/01/2018,2,MG-8,Boots,\n29/01/2018,0,RI-3,Jacket,\n",
        "08:15,North\n08:30,South\n",
        "Boots,$74.69\nJacket,$29.81\n",
        "0.000e+00,1.0e+00\n1.000e+00,1.0e+00\n",
    ],
)
def test_a_first_row_like_those_beneath_is_no_header(write, content):
    path = write(content)
    found = inspect(path, CsvOptions())
    assert found.rows == content.count("\n")
    assert found.columns[0].display_name == "column_1"
    assert found.dialect.header_row == -1
    assert [warning.code for warning in found.warnings].count("no_header") == 1


@pytest.mark.parametrize(
    "content",
    [
        "Country,2001,2002,2003\nTogo,5,6,7\nMali,8,9,1\n",
        "Country,2010\nTogo,5\n",
        "2010,2015\n3,4\n5,6\n",
        "Region,1/22/20,1/23/20\nA,5,6\nB,7,8\n",
        "Sample,400.5,401,402.25\nS1,0.1,0.2,0.3\nS2,0.2,0.1,0.4\n",
        "0,1,2,3\n5,9,1,4\n3,3,8,7\n",
        "id,name\n1,x\n2,y\n",
        "name,note\nx,y\nz,v\n",
        "Apr-16,Arrest 1,Arrest 2\nAbuja,0,1\nAccra,2,3\n",
    ],
)
def test_names_above_values_are_a_header(write, content):
    header, *_ = content.split("\n")
    assert names(write(content)) == header.split(",")


def test_no_header_can_be_said_and_so_can_one(write):
    assert rows(write("name,note\nx,y\n"), header_row=-1) == [["name", "note"], ["x", "y"]]
    path = write("1,2.5\n2,3.5\n3,1.5\n")
    assert names(path, header_row=0) == ["1", "2.5"]


def test_a_file_without_a_header_goes_on_as_it_is(write, tmp_path):
    target = tmp_path / "out.csv"
    with opened(write("399.1,74.3\n401.1,73.7\n"), CsvOptions()) as file:
        assert file.clean_from == 0
        file.write(target)
    assert target.read_text() == "column_1,column_2\n399.1,74.3\n401.1,73.7\n"


@pytest.mark.parametrize(
    "titles",
    [
        "Created as New Dataset,Sample 022, Saturday\n",
        "#TYPE:,DATA ALL\n#DATE:,2016-12-21\n\n",
        "Report of May\n\n",
        "Report,2017,,\n,,,\n",
        '"Report\nof May",,,\n',
    ],
)
def test_titles_of_any_shape_above_the_header_are_left_out_and_told(write, titles):
    path = write(titles + "well,depth,district,yield\n" + "A1,20.5,North,3\nB2,31.0,South,4\n" * 3)
    assert names(path) == ["well", "depth", "district", "yield"]
    assert len(rows(path)) == 6
    assert codes(path) == ["lines_before_header"]


def test_a_header_with_a_cell_too_few_or_too_many_is_still_the_header(write):
    below = "A1,20.5,3\nB2,31.0,4\nC3,12.5,5\n"
    assert names(write("well,depth\n" + below)) == ["well", "depth", "column_3"]
    assert names(write("well,depth,yield,more\n" + below)) == ["well", "depth", "yield", "more"]
    assert names(write("well,depth,yield,\n" + below)) == ["well", "depth", "yield"]


def test_blank_space_in_a_column_without_a_name_is_kept(write):
    assert rows(write('a;b\n1;2;"\n"\n')) == [["1", "2", "\n"]]


def test_a_second_table_below_does_not_hide_the_first(write):
    path = write("what,sum\nfees,5\nTotal\n,\nname,place\nAsha,Pune\n")
    assert names(path) == ["what", "sum"]


def said(path: Path, **options) -> list[list[object]]:
    """All rows, the header too."""
    return rows(path, header_row=-1, **options)


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("a;b,c\n1;2,3\n", {"delimiter": ","}, [["a;b", "c"], ["1;2", "3"]]),
        ("a, b\n1, 2\n", {"delimiter": ","}, [["a", " b"], ["1", " 2"]]),
        ("a,b\n1,2\n", {"delimiter": ";"}, [["a,b"], ["1,2"]]),
        ("a\tb\n1\t2\n", {"delimiter": "\t"}, [["a", "b"], ["1", "2"]]),
        ("a,b\n\"1\",'x,y'\n", {"quote": "'"}, [["a", "b"], ['"1"', "x,y"]]),
        ("a,b\n'1','2'\n'3','4'\n", {"quote": '"'}, [["a", "b"], ["'1'", "'2'"], ["'3'", "'4'"]]),
        ('a,b\n"x\\",y",1\n', {"escape": "\\"}, [["a", "b"], ['x",y', "1"]]),
        ('a,b\n"x^"y",1\n', {"escape": "^"}, [["a", "b"], ['x"y', "1"]]),
        (
            'a,b\n"C:\\dir\\","x"\n"say ""\\""",1\n',
            {"escape": '"'},
            [["a", "b"], ["C:\\dir\\", "x"], ['say "\\"', "1"]],
        ),
        ("a,b\né,2\n".encode(), {"encoding": "latin-1"}, [["a", "b"], ["Ã©", "2"]]),
        (b"a,b\n\x81\x85,2\n", {"encoding": "latin-1"}, [["a", "b"], ["\x81\x85", "2"]]),
        (b"a,b\n\x81,2\n", {"encoding": "cp437"}, [["a", "b"], ["ü", "2"]]),
        ("a,b\n1,2\n".encode("utf-16-be"), {"encoding": "utf-16-be"}, [["a", "b"], ["1", "2"]]),
    ],
)
def test_what_is_said_wins_over_what_would_be_detected(write, content, options, expected):
    path = write(content)
    assert said(path, **options) == expected
    dialect = inspect(path, CsvOptions(header_row=-1, **options)).dialect
    told = {name: getattr(dialect, name) for name in options}
    assert told == options | ({"encoding": told["encoding"]} if "encoding" in options else {})


@pytest.mark.parametrize(("row", "header"), [(0, "t"), (1, "a"), (2, "1"), (-1, "column_1")])
def test_the_row_of_the_header_that_is_said_wins(write, row, header):
    path = write("t,\na,b\n1,2\n3,4\n")
    found = inspect(path, CsvOptions(header_row=row))
    assert found.columns[0].display_name == header
    assert found.dialect.header_row == row
    assert found.rows == 3 - row


def test_lines_below_the_table_are_counted(write):
    path = write("a,b,c\n1,2,3\n4,5,6\n,,\nSource: us,,\nAll rights,,\n")
    assert inspect(path, CsvOptions()).dialect.footer_rows == 2


def test_options_that_came_later_do_not_change_what_was_loaded_before():
    older = {
        "delimiter": None,
        "quote": None,
        "encoding": None,
        "header_row": None,
        "types": "infer",
        "columns": {},
    }
    told = f"{CONNECTOR_VERSION}\nabc\n{json.dumps(older, sort_keys=True)}"
    assert fingerprint("abc", CsvOptions()) == hashlib.sha256(told.encode()).hexdigest()
    assert fingerprint("abc", CsvOptions(sheet="x")) != fingerprint("abc", CsvOptions())
    assert fingerprint("abc", CsvOptions(escape="x")) != fingerprint("abc", CsvOptions())
