"""What a column is given comes back from its type: of random columns, and of every case."""

import csv
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import csv_files
from tests.cases.normal_forms import same

from ingest.connectors import BadSource
from ingest.connectors.csv import opened
from ingest.dialect import CsvOptions

CASES = Path(os.environ.get("SHARED_CASES", "")) / "csv"


def lost(path: Path) -> list[tuple[str, str, str | None, str | None]]:
    """Column, type, cell and what came back, of the cells that are not the same."""
    found: list[tuple[str, str, str | None, str | None]] = []
    with opened(path, CsvOptions()) as file:
        cells = ", ".join(f"{one.column}, {one.cell()}" for one in file.plan)
        rows = file.connection.execute(
            f"SELECT {cells} FROM {file.scan.source} WHERE {file.scan.holds}"
        ).fetchall()
        assert len(rows) == file.inspection.rows
        for index, column in enumerate(file.inspection.columns):
            found += [
                (column.display_name, column.type, row[2 * index], row[2 * index + 1])
                for row in rows
                if not same(column.type, row[2 * index], _as_shown(column.type, row[2 * index + 1]))
            ]
    return found


def _as_shown(type: str, cell: str | None) -> str | None:
    """PostgreSQL shows truth values in lower case."""
    return cell.lower() if cell and type == "boolean" else cell


DIGITS = st.integers(-(10**16), 10**16)
SMALL = st.integers(0, 40)
DAYS = st.dates()
LIKE_NUMBERS = st.one_of(
    DIGITS.map(str),
    DIGITS.map(lambda number: f"{number:,}"),
    SMALL.map(lambda number: f"{number:03}"),
    SMALL.map(lambda number: f"+{number}"),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.floats(width=64).map(str),
    st.sampled_from(["-0", "0.0", "-0.0", ".5", "5.", "1e5", "NaN", "inf", "१२", "1_000", "0x1F"]),
)
LIKE_TIMES = st.one_of(
    *(
        DAYS.map(lambda day, form=form: day.strftime(form))
        for form in ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y")
    ),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="minutes")),
    st.datetimes().map(lambda moment: moment.strftime("%d/%m/%Y %H:%M")),
    st.sampled_from(["2024-02-30", "0000-01-01", "13/13/2024", "2024-01-01 24:00", "1/2/24"]),
)
LIKE_WORDS = st.one_of(
    st.sampled_from(["true", "FALSE", "True", "yes", "no", "1", "0", "NA", "-", "null"]),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12),
)
BLANKS = st.sampled_from(["", " ", "\t", "\u00a0"])


@st.composite
def columns(draw: st.DrawFn) -> list[list[str]]:
    """Columns of one kind, of one kind with gaps, and of anything."""
    height = draw(st.integers(1, 12))
    kinds = st.sampled_from([LIKE_NUMBERS, LIKE_TIMES, LIKE_WORDS])
    made: list[list[str]] = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(kinds)
        seeds = draw(st.lists(kind, min_size=1, max_size=2))
        # Few seeds make columns that do get a type.
        cells = draw(
            st.sampled_from([kind, st.sampled_from(seeds), st.sampled_from(seeds) | BLANKS])
        )
        made.append(draw(st.lists(cells, min_size=height, max_size=height)))
    return made


@settings(max_examples=60, deadline=None)
@given(columns())
def test_no_cell_of_any_column_is_lost(made: list[list[str]]):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "random.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(["key", *(f"x{index}" for index in range(len(made)))])
            writer.writerows(zip([f"k{n}" for n in range(len(made[0]))], *made, strict=True))
        with opened(path, CsvOptions(types="text", header_row=0)) as read:
            names = ", ".join(one.column for one in read.plan)
            rows = read.connection.execute(f"SELECT {names} FROM {read.scan.source}").fetchall()
        assert [[cell or "" for cell in row[1:]] for row in rows] == [
            list(row) for row in zip(*made, strict=True)
        ]
        assert lost(path) == []


@pytest.mark.parametrize("case", list(csv_files.cases()), ids=lambda case: case.name)
def test_no_cell_of_our_own_cases_is_lost(write, case):
    assert lost(write(case.content)) == []


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize("folder", ["polluted", "spectrum", "survey"])
def test_no_cell_of_the_shared_cases_is_lost(folder):
    refused: set[str] = set()
    for path in sorted((CASES / folder).glob("*.csv")):
        if path.name.endswith(".expected.csv"):
            continue
        try:
            assert lost(path) == [], path.name
        except BadSource as error:
            refused.add(error.code)
    assert refused <= {"empty_file", "bad_rows"}
