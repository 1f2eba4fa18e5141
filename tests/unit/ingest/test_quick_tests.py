"""The cheap question about a cell says yes only where the full one does."""

from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.infer import READINGS

QUICK = tuple(reading for reading in READINGS if reading.quick)
ODD = [
    "0",
    "-0",
    "-1",
    "01",
    "+1",
    "1.",
    "1.50",
    ".5",
    "-0.00",
    "-0.01",
    "1e5",
    "1e+16",
    "nan",
    "-inf",
    "1_000",
    "123456789012345",
    "1234567890123456",
    "-12345678901234",
    "1.234",
    "9999999999999.99",
    "99999999999999.99",
    "999999999999999.99",
    "2020-1-1",
    "0000-01-01",
    "0001-01-01",
    "10000-01-01",
    "2020-02-30",
    "infinity",
    "epoch",
    "2020-01-01T00:00:00",
    "TRUE",
    "t",
    "5881580-07-11",
]
SPACED = ["", " 1", "1 ", "0044-03-15 (BC)", "2020-01-01 24:00:00", "2020-01-01 23:59:60"]
SPACED += [
    "0000-01-01 00:00:00",
    "0001-01-01 00:00:00",
    "12345-01-01 00:00:0",
    "0044-03-15 (BC) 0:0",
]


@pytest.fixture(scope="module")
def duck():
    with duckdb.connect() as connection:
        yield connection


def differ(duck: duckdb.DuckDBPyConnection, cells: list[str]) -> list[tuple[str, str]]:
    duck.execute("CREATE OR REPLACE TEMP TABLE given (cell VARCHAR)")
    duck.executemany("INSERT INTO given VALUES (?)", [(cell,) for cell in cells])
    found: list[tuple[str, str]] = []
    for reading in QUICK:
        full = replace(reading, quick="")
        query = (
            f"SELECT cell FROM given WHERE {reading.fits_sql('cell')} <> {full.fits_sql('cell')}"
        )
        found += [(reading.type, cell) for (cell,) in duck.execute(query).fetchall()]
    return found


def test_forms_that_look_alike_are_told_apart(duck):
    assert differ(duck, ODD + SPACED) == []


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.text("0123456789-+.eE:T _naifBC()", max_size=20), min_size=1, max_size=30))
def test_no_cell_is_taken_that_the_full_question_refuses(duck, cells):
    assert differ(duck, cells) == []
