"""How the cells of a Google Sheet become a table of text."""

from decimal import Decimal

import pytest
from tests.servers.sheets import Cell, Shown, Tab, Workbook

from ingest.connectors import BadSource
from ingest.connectors.google.grid import disagree, may_hold_dates, table
from ingest.connectors.sheets import cells
from ingest.connectors.sheets.grid import Grid, Merge

HEADER: list[Cell] = ["name", "value"]


def grid(rows: list[list[Cell]]) -> Grid:
    book = Workbook("book", [Tab(0, "tab", rows)])

    def reading(rendering: str, dates: str) -> cells.Rows:
        found = book.values("tab", rendering, dates, "ROWS").get("values", [])
        return [[Decimal(str(c)) if isinstance(c, float) else c for c in row] for row in found]

    return Grid(
        reading("FORMATTED_VALUE", ""),
        reading("UNFORMATTED_VALUE", "SERIAL_NUMBER"),
        reading("UNFORMATTED_VALUE", "FORMATTED_STRING"),
    )


def read(rows: list[list[Cell]], *merges: tuple[int, int, int, int], header_row: int | None = None):
    return table(grid(rows), [Merge(*merge) for merge in merges], header_row)


def column(*values: Cell) -> list[str]:
    rows: list[list[Cell]] = [["row", value] for value in values]
    return [row[1] for row in read([HEADER, *rows]).rows]


def codes(rows: list[list[Cell]], *merges: tuple[int, int, int, int]) -> list[str]:
    return [warning.code for warning in read(rows, *merges).warnings]


def date(serial: float, text: str) -> Shown:
    return Shown(serial, text, is_date=True)


def test_leading_zeros_stay_as_seen():
    assert column(Shown(7, "007"), "012") == ["007", "012"]


def test_a_phone_number_keeps_the_plus_that_its_format_gives_it():
    assert column(Shown(919812345678, "+91 98123 45678")) == ["+91 98123 45678"]


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (1234.5, "$1,234.50", "1234.5"),
        (0.456, "46%", "0.456"),
        (1234567890123456, "1.23457E+15", "1234567890123456"),
        (1e-7, "0.00", "0.0000001"),
        (100000, "1,00,000", "100000"),
        (3, "3.00", "3"),
        (-2.5, "(2.50)", "-2.5"),
        (5, "", "5"),
    ],
)
def test_numbers_are_exact_whatever_their_format(value, text, expected):
    assert column(Shown(value, text)) == [expected]


@pytest.mark.parametrize(
    ("serial", "text", "expected"),
    [
        (45355, "04/03/2024", "2024-03-04"),
        (45355, "lundi 4 mars 2024", "2024-03-04"),
        (45355, "4-Mar", "2024-03-04"),
        (45355, "٤/٣/٢٠٢٤", "2024-03-04"),
        (45355.5, "04/03/2024 12:00:00", "2024-03-04 12:00:00"),
        (45355.395833333336, "4/3/24 9:30", "2024-03-04 09:30:00"),
        (60, "28/02/1900", "1900-02-28"),
        (61, "01/03/1900", "1900-03-01"),
        (-1, "29/12/1899", "1899-12-29"),
    ],
)
def test_dates_come_from_their_serial_numbers_in_any_language(serial, text, expected):
    assert column(date(serial, text)) == [expected]


@pytest.mark.parametrize(
    ("serial", "text"),
    [(0.395833333, "09:30"), (0.5, "12.00"), (1.0625, "25:30:00"), (0.75, "6:00 PM")],
)
def test_times_and_durations_stay_as_seen(serial, text):
    assert column(date(serial, text)) == [text]


def test_one_time_among_dates_gives_all_of_them_a_time():
    found = column(date(45355, "4/3/2024"), date(45356.25, "5/3/2024 06:00"), None)
    assert found == ["2024-03-04 00:00:00", "2024-03-05 06:00:00", ""]


def test_truth_values_are_written_in_one_language():
    assert column(True, False) == ["true", "false"]


def test_errors_of_formulas_are_blank_and_told():
    rows: list[list[Cell]] = [HEADER, ["a", "#REF!"], ["b", 1], ["c", "#N/A"]]
    found = read(rows)
    assert found.rows == (("a", ""), ("b", "1"), ("c", ""))
    (warning,) = found.warnings
    assert warning.code == "formula_errors"
    assert "2 cells" in warning.message
    assert "#REF! in row 2 of 'value'" in warning.message


def test_rows_are_ragged_both_ways():
    rows: list[list[Cell]] = [["a", "b"], ["1"], ["1", "2", "3"], []]
    found = read(rows)
    assert found.header == ("a", "b", "")
    assert found.rows == (("1", "", ""), ("1", "2", "3"))


def test_blank_rows_at_the_end_are_no_rows_and_others_stay():
    found = read([HEADER, ["a", 1], [None, None], ["b", 2], [" ", None], ["", ""]])
    assert found.rows == (("a", "1"), ("", ""), ("b", "2"))


def test_titles_above_the_header_are_left_out_and_told():
    rows: list[list[Cell]] = [
        ["Donations 2024"],
        [],
        ["Prepared by", "Asha"],
        ["name", "village", "amount", "date", "note"],
        ["Bo", "Rampur", 5, "x", "y"],
        ["Cy", "Rampur", 6, "x", "y"],
    ]
    found = read(rows)
    assert found.header == ("name", "village", "amount", "date", "note")
    (warning,) = found.warnings
    assert warning.code == "lines_before_header"
    assert "2 rows" in warning.message
    assert "'Donations 2024'" in warning.message


def test_a_title_merged_over_the_table_is_no_header():
    rows: list[list[Cell]] = [["Donations", None], ["name", "amount"], ["a", 1]]
    assert read(rows, (0, 1, 0, 2)).header == ("name", "amount")


def test_a_table_of_one_column_has_its_first_row_as_header():
    found = read([["name"], ["Asha"], ["Bo"]])
    assert found.header == ("name",)
    assert found.rows == (("Asha",), ("Bo",))


def test_a_person_may_choose_the_header():
    rows: list[list[Cell]] = [["a", "b"], ["name", "amount"], ["x", 1]]
    assert read(rows, header_row=1).header == ("name", "amount")


def test_a_chosen_header_that_is_blank_is_refused():
    with pytest.raises(BadSource, match="Row 5 of the tab is empty"):
        read([HEADER], header_row=4)


def test_a_merged_header_fills_right():
    rows: list[list[Cell]] = [["name", "phone", None, "note"], ["a", 1, 2, 3]]
    assert read(rows, (0, 1, 1, 3)).header == ("name", "phone", "phone", "note")
    assert codes(rows, (0, 1, 1, 3)) == ["merged_header"]


def test_a_header_merged_over_two_rows_is_read_in_the_second():
    rows: list[list[Cell]] = [["district", "girls", None], [None, 2023, 2024], ["x", 1, 2]]
    found = read(rows, (0, 2, 0, 1), (0, 1, 1, 3), header_row=1)
    assert found.header == ("district", "2023", "2024")


def test_merged_cells_among_the_data_are_told():
    assert codes([HEADER, ["a", 1], [None, 2]], (1, 3, 0, 1)) == ["merged_cells"]


def test_a_header_without_rows_is_a_table_without_rows():
    assert read([HEADER]).rows == ()


@pytest.mark.parametrize("rows", [[], [[]], [[None, " "]]])
def test_an_empty_tab_says_what_to_do(rows):
    with pytest.raises(BadSource, match="The tab is empty") as caught:
        read(rows)
    assert caught.value.code == "empty_sheet"


def test_only_numbers_shown_with_other_digits_may_be_dates():
    plain = grid([[1234.5, True, "x"], [Shown(1234.5, "₹ 1,234.50"), Shown(7, "007")]])
    assert not may_hold_dates(plain.seen, plain.raw)
    dated = grid([[date(45355, "4 Mar")]])
    assert may_hold_dates(dated.seen, dated.raw)


def test_readings_of_a_tab_that_was_edited_between_them_disagree():
    before, after = grid([HEADER, ["a", 1]]), grid([HEADER, ["new", 0], ["a", 1]])
    assert not disagree(before.seen, before.raw, before.dated)
    assert disagree(after.seen, before.raw, before.dated)
    assert disagree(before.seen, before.raw, after.dated)
