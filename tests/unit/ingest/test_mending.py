"""Damaged records: repaired and told, or set aside with their lines; neighbours are not touched."""

import csv
from pathlib import Path

import pytest

from ingest.connectors import BadSource
from ingest.connectors.csv import inspect, opened, sample
from ingest.dialect import CsvOptions


def rows(path: Path, **options) -> list[list[object]]:
    return [
        list(row.values()) for row in sample(path, CsvOptions(types="text", **options), 99).rows
    ]


def warnings(path: Path) -> dict[str, str]:
    found = inspect(path, CsvOptions(types="text"))
    return {warning.code: warning.message for warning in found.warnings}


WHOLE = [[f"p{n}", f"{n}.5", "x, y", str(n), "z"] for n in range(12)]


def table(**damaged: str) -> str:
    """Twelve rows of five columns, with a quoted cell; `r3="…"` replaces the fourth."""
    lines = [f'{a},{b},"{c}",{d},{e}' for a, b, c, d, e in WHOLE]
    for row, line in damaged.items():
        lines[int(row[1:])] = line
    return "\n".join(["name,price,note,count,end", *lines]) + "\n"


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('p3,"3.5,"x, y",3,z', ["p3", '"3.5', "x, y", "3", "z"]),
        ('"p3,3.5,"x, y",3,z', ['"p3', "3.5", "x, y", "3", "z"]),
        ('p3,3.5,"x, y",3,"z', ["p3", "3.5", "x, y", "3", '"z']),
        ('p3,3.5,"x "large" y",3,z', ["p3", "3.5", 'x "large" y', "3", "z"]),
        ('p3,3.5,""x, y",3,z', ["p3", "3.5", '"x, y', "3", "z"]),
        ('p3,3.5,"x" y,3,z', ["p3", "3.5", '"x" y', "3", "z"]),
    ],
)
def test_a_stray_quote_costs_no_neighbour_and_no_cell(write, line, cells):
    path = write(table(r3=line))
    assert rows(path) == [*WHOLE[:3], cells, *WHOLE[4:]]
    assert "line 5" in warnings(path)["quotes_repaired"]


def test_a_stray_quote_in_the_last_row_is_read_as_text(write):
    assert rows(write('a,b\n1,2\n3,"x\n')) == [["1", "2"], ["3", '"x']]


def test_two_stray_quotes_that_make_one_sound_cell_of_many_rows_are_seen(write):
    path = write(table(r3='p3,3.5,"x,3,z', r8='p8,8.5,y",8,z'))
    assert [row[0] for row in rows(path)] == [f"p{n}" for n in range(12)]
    assert "line 5" in warnings(path)["quotes_repaired"]


def test_prose_with_commas_on_lines_of_its_own_stays_one_cell(write):
    note = "first\n12 Mill Lane, Leeds, Yorkshire\nlast"
    path = write(f'name,note,count\nx,"{note}",1\ny,"b, c",2\n')
    assert rows(path) == [["x", note, "1"], ["y", "b, c", "2"]]
    assert not warnings(path)


def test_cells_of_many_lines_stay_whole_in_a_file_that_is_mended(write):
    path = write(table(r2='p2,2.5,"one\r\ntwo, ""three""\n",2,z', r7='p7,7.5,"x"y,7,z'))
    assert rows(path)[2] == ["p2", "2.5", 'one\r\ntwo, "three"\n', "2", "z"]
    assert "line 11" in warnings(path)["quotes_repaired"]


def test_rows_with_too_many_cells_are_set_aside_with_their_lines(write):
    path = write(table(r4='p4,4,5,"x, y",4,z'))
    assert rows(path) == [*WHOLE[:4], *WHOLE[5:]]
    assert "line 6" in warnings(path)["rows_rejected"]
    with opened(path, CsvOptions()) as file:
        assert file.rejects is not None
        with file.rejects.open(newline="") as rejects:
            assert list(csv.reader(rejects)) == [
                ["line", "reason", "text"],
                ["6", "6 cells for 5 columns", 'p4,4,5,"x, y",4,z'],
            ]


def test_an_empty_cell_too_many_is_dropped_and_told(write):
    path = write("a,b\n" + "1,2\n" * 9 + "3,4,\n")
    assert rows(path)[-1] == ["3", "4"]
    assert "line 11" in warnings(path)["long_rows"]


def test_a_row_written_with_another_delimiter_is_kept_and_told(write):
    path = write(table(r4="p4 4.5 x 4 z"))
    assert rows(path)[4] == ["p4 4.5 x 4 z", None, None, None, None]
    assert "line 6" in warnings(path)["short_rows"]


def test_too_many_rows_that_do_not_fit_are_refused(write):
    with pytest.raises(BadSource, match="line 3 has 3 cells where there are 2 columns"):
        inspect(write("a,b\n1,2\n1,2,3\n4,5\n4,5,6\n7,8\n"), CsvOptions())


def test_notes_below_the_table_are_left_out_told_and_kept_aside(write):
    path = write(table() + "\n\nSource: Ministry of Water\nNot revised\n")
    assert rows(path) == WHOLE
    assert "Source: Ministry of Water" in warnings(path)["lines_after_table"]
    with opened(path, CsvOptions()) as file:
        assert file.rejects is not None
        assert "Not revised" in file.rejects.read_text()


def test_notes_padded_by_a_spreadsheet_are_notes_too(write):
    path = write("a,b,c\n1,2,3\n4,5,6\n,,\nSource: Ministry,,\n")
    assert rows(path) == [["1", "2", "3"], ["4", "5", "6"]]


def test_a_total_below_the_table_is_a_row(write):
    path = write("a,b,c\n1,2,3\n4,5,6\n,,\nTotal,,9\n")
    assert rows(path)[-1] == ["Total", None, "9"]


def test_a_heading_within_the_table_is_a_row(write):
    path = write("a,b,c\n1,2,3\n,,\nNorth,,\n4,5,6\n")
    assert rows(path) == [["1", "2", "3"], ["North", None, None], ["4", "5", "6"]]


def test_mixed_line_ends_are_read_beside_damage(write):
    path = write('a,b,c\r\n1,2,3\n4,"5" x,6\r7,8,9')
    assert rows(path) == [["1", "2", "3"], ["4", '"5" x', "6"], ["7", "8", "9"]]


def test_a_damaged_header_costs_no_row(write):
    path = write('a,"b,c\n' + "1,2,3\n" * 12)
    found = inspect(path, CsvOptions())
    assert [column.display_name for column in found.columns] == ["a", '"b', "c"]
    assert found.rows == 12
