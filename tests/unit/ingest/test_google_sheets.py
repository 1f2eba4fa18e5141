"""Addresses of spreadsheets, and their tabs."""

import pytest
from tests.servers.sheets import Tab, Workbook

from ingest.connectors import BadSource
from ingest.connectors.google.spreadsheet import Place, Spreadsheet, parsed, place

ID = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"


def spreadsheet(*tabs: Tab) -> Spreadsheet:
    return parsed(Workbook("Donors", list(tabs)).resource(ID))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, Place(ID)),
        (f" https://docs.google.com/spreadsheets/d/{ID}/edit#gid=0 ", Place(ID, 0)),
        (f"https://docs.google.com/spreadsheets/d/{ID}/edit?gid=77#gid=77", Place(ID, 77)),
        (f"https://docs.google.com/spreadsheets/u/1/d/{ID}/edit?usp=sharing", Place(ID)),
    ],
)
def test_a_spreadsheet_is_named_by_id_or_address(text, expected):
    assert place(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "donors",
        "https://example.org/x",
        f"{ID}/../other",
        "https://docs.google.com/spreadsheets/d/e/2PACX-1vTabcdefghijk/pubhtml",
    ],
)
def test_what_names_no_spreadsheet_is_refused(text):
    with pytest.raises(BadSource) as caught:
        place(text)
    assert caught.value.code == "bad_spreadsheet"


def test_a_tab_is_found_by_its_id_even_when_it_was_renamed():
    found = spreadsheet(Tab(0, "Sheet1", []), Tab(7, "Renamed", []))
    assert found.sheet(7, "Old name").title == "Renamed"


def test_without_a_word_the_first_tab_that_is_shown_and_has_cells_is_read():
    tabs = (Tab(1, "Chart", [], chart=True), Tab(2, "Old", [], hidden=True), Tab(3, "Data", []))
    assert spreadsheet(*tabs).sheet(None, None).title == "Data"


def test_a_tab_that_is_not_there_is_refused_with_those_that_are():
    found = spreadsheet(Tab(0, "Donors", []), Tab(1, "Visits", []))
    with pytest.raises(BadSource, match=r"no tab 'Doners'.*'Donors', 'Visits'"):
        found.sheet(None, "Doners")
    with pytest.raises(BadSource, match="no tab with the number 9"):
        found.sheet(9, None)
    with pytest.raises(BadSource, match="no tab 'Old' with the number 9"):
        found.sheet(9, "Old")


def test_a_chart_has_no_cells_to_read():
    with pytest.raises(BadSource, match="holds a chart"):
        spreadsheet(Tab(5, "Chart", [], chart=True)).sheet(5, None)
