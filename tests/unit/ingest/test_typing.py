"""A value is shown as it was given: a column is typed only where nothing is lost."""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.connectors import BadSource
from ingest.connectors.csv import inspect, opened, sample
from ingest.dialect import CsvOptions


@pytest.fixture
def column(write):
    """Reads one column (beside a key): its type and its cells as JSON."""

    def column(cells, header="x", **options):
        lines = "".join(f"{n}\t{cell}\n" for n, cell in enumerate(cells))
        path = write(f"key\t{header}\n{lines}")
        found = sample(path, CsvOptions(delimiter="\t", **options), 500)
        return found.inspection.columns[1].type, [row[header] for row in found.rows]

    return column


@pytest.mark.parametrize(
    ("cells", "type", "shown"),
    [
        (["1", "-20", "0"], "integer", [1, -20, 0]),
        (["1", "", " ", "3"], "integer", [1, None, None, 3]),
        (["999999999999999"], "integer", [999999999999999]),
        (["1.50", "2", "-0.25"], "decimal", [1.5, 2, -0.25]),
        (["40300.619960000004"], "decimal", ["40300.619960000004"]),
        (["TRUE", "false"], "boolean", [True, False]),
        (["2024-02-29", "0001-01-01"], "date", ["2024-02-29", "0001-01-01"]),
        (["13/01/2024", "1/2/2024"], "date", ["2024-01-13", "2024-02-01"]),
        (["01/13/2024", "02/01/2024"], "date", ["2024-01-13", "2024-02-01"]),
        (["03.04.2024"], "date", ["2024-04-03"]),
        (["3 Jan 2024", "14 Feb 2024"], "date", ["2024-01-03", "2024-02-14"]),
        (["March 5, 2024"], "date", ["2024-03-05"]),
        (["2024-01-01T10:00"], "timestamp", ["2024-01-01T10:00:00"]),
        (["13/01/2024 9:05:07"], "timestamp", ["2024-01-13T09:05:07"]),
    ],
)
def test_a_column_is_typed_where_every_value_fits(column, cells, type, shown):
    assert column(cells) == (type, shown)


@pytest.mark.parametrize(
    "cells",
    [
        ["007", "1"],
        ["+1", "2"],
        ["1234567890123456", "1"],
        ["-0", "1"],
        ["1e5", "2"],
        [".5", "1"],
        ["1,000", "2"],
        ["1 ", "2"],
        ["NaN", "1.5"],
        ["0.123456789012345678"],
        ["yes", "no"],
        ["true", "1"],
        ["2024-02-30", "2024-01-01"],
        ["0000-01-01"],
        ["2024-01-01", "13/01/2024"],
        ["13/01/24"],
        ["2024-01-01", "2024-01-01 10:00"],
        ["2024-01-01 25:00"],
        ["NA", "1"],
        ["-", "1"],
        ["१२", "३"],
    ],
)
def test_a_column_stays_text_where_anything_would_be_lost(column, cells):
    assert column(cells) == ("text", cells)


@pytest.mark.parametrize(
    "header", ["Phone", "mobile no.", "Pin Code", "userId", "ID", "UNcode", "account_number"]
)
def test_numbers_under_headers_of_phones_and_ids_stay_text(column, header):
    assert column(["98765", "43210"], header) == ("text", ["98765", "43210"])


@pytest.mark.parametrize("header", ["width", "paid", "episode", "valid", "Cells grown"])
def test_headers_that_only_look_like_ids_do_not_count(column, header):
    assert column(["98765", "43210"], header)[0] == "integer"


def test_dates_that_can_be_read_both_ways_stay_text_with_both_readings(write):
    found = inspect(write("d,x\n03/04/2024,1\n05/06/2024,2\n"), CsvOptions())
    assert found.columns[0].type == "text"
    (warning,) = found.warnings
    assert warning.code == "ambiguous_dates"
    assert "DD/MM/YYYY" in warning.message
    assert "MM/DD/YYYY" in warning.message


def test_times_with_a_zone_stay_text_until_a_person_wants_utc(write, column):
    cells = ["2024-01-01T10:00:00+05:30", "2024-01-01T10:00:00Z"]
    assert column(cells) == ("text", cells)
    assert column(cells, columns={"x": {"type": "timestamp"}}) == (
        "timestamp",
        ["2024-01-01T04:30:00", "2024-01-01T10:00:00"],
    )


def test_one_late_value_decides(column):
    assert column([*(["1"] * 3000), "x"])[0] == "text"
    assert column([*([""] * 3000), "5"])[0] == "integer"
    assert column([*([""] * 3000), "5", "x"])[0] == "text"


def test_everything_is_text_when_said(column):
    assert column(["1", "2"], types="text") == ("text", ["1", "2"])


@pytest.mark.parametrize(
    ("cells", "option", "shown"),
    [
        (["007", "+1"], {"type": "integer"}, [7, 1]),
        (["1e2", ".5"], {"type": "decimal"}, ["1e2", 0.5]),
        (["yes", "N", "1"], {"type": "boolean"}, [True, False, True]),
        (["03/04/2024"], {"type": "date", "format": "DD/MM/YYYY"}, ["2024-04-03"]),
        (["04-03-24"], {"type": "date", "format": "MM-DD-YY"}, ["2024-04-03"]),
        (['{"a": [1]}'], {"type": "json"}, [{"a": [1]}]),
        (["1", "2"], {"type": "text"}, ["1", "2"]),
    ],
)
def test_the_type_a_person_chose_is_used(column, cells, option, shown):
    assert column(cells, columns={"x": option}) == (option["type"], shown)


@pytest.mark.parametrize(
    ("cells", "option", "code"),
    [
        (["1", "many"], {"type": "integer"}, "wrong_type"),
        (["99999999999999999999"], {"type": "integer"}, "wrong_type"),
        (["{"], {"type": "json"}, "wrong_type"),
        (["03/04/2024"], {"type": "date"}, "ambiguous_dates"),
        (["2024-01-01"], {"type": "date", "format": "DD/MM/YYYY"}, "wrong_type"),
    ],
)
def test_values_that_do_not_fit_the_chosen_type_are_refused(column, cells, option, code):
    with pytest.raises(BadSource) as caught:
        column(cells, columns={"x": option})
    assert caught.value.code == code
    assert "'x'" in caught.value.message


_DATES = st.dates(min_value=date(1, 1, 1))
_CELLS = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.integers(0, 999).map(lambda n: f"{n:03}"),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.floats(allow_nan=False).map(str),
    _DATES.map(str),
    _DATES.map(lambda day: day.strftime("%d/%m/%Y")),
    st.datetimes().map(lambda time: time.isoformat(" ")),
    st.sampled_from(["", " ", "true", "FALSE", "NA", "-", "+1", "1.50", "0", "-0"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)
_COLUMNS = st.lists(
    st.one_of(
        st.lists(_CELLS, min_size=6, max_size=6),
        st.lists(st.integers(-(10**16), 10**16).map(str), min_size=6, max_size=6),
        st.lists(_DATES.map(lambda day: day.strftime("%d/%m/%Y")), min_size=6, max_size=6),
        st.lists(st.datetimes().map(lambda time: time.isoformat()), min_size=6, max_size=6),
    ),
    min_size=1,
    max_size=4,
)


def _given_as(type: str, given: str, written: str) -> bool:
    """Whether what arrives is what was given, up to the normal forms."""
    if type == "text":
        return written == given
    if not given.strip():
        return written == ""
    if type in {"integer", "decimal"}:
        return written == given and (type == "decimal" or str(int(given)) == written)
    if type == "boolean":
        return written.lower() == given.lower()
    if type == "date":
        read = (
            date.fromisoformat(given) if "-" in given else datetime.strptime(given, "%d/%m/%Y")  # noqa: DTZ007
        )
        swapped = given[3:6] + given[:3] + given[6:]
        month_first = "/" in given and written == f"{given[6:]}-{given[:2]}-{given[3:5]}"
        return read.strftime("%Y") in written and (
            written == given
            or month_first
            or written == f"{given[6:]}-{swapped[:2]}-{swapped[3:5]}"
        )
    return datetime.fromisoformat(written) == datetime.fromisoformat(given)


@settings(max_examples=150, deadline=timedelta(seconds=5))
@given(columns=_COLUMNS, end=st.sampled_from(["\n", "\r\n"]), quoting=st.sampled_from([0, 1]))
def test_whatever_is_given_arrives_as_given(columns, end, quoting):
    buffer = io.StringIO(newline="")
    # Python writes a lone carriage return without quotes, and nobody can tell it from a line end.
    bare = any("\r" in cell for column in columns for cell in column)
    writer = csv.writer(buffer, lineterminator=end, quoting=1 if bare else quoting)
    writer.writerow(["key", *(f"x{n}" for n in range(len(columns)))])
    cells = list(zip(*columns, strict=True))
    writer.writerows([f"k{n}", *row] for n, row in enumerate(cells))
    with TemporaryDirectory() as folder:
        path, target = Path(folder) / "in.csv", Path(folder) / "out.csv"
        path.write_bytes(buffer.getvalue().encode())
        with opened(path, CsvOptions(delimiter=","), Path(folder)) as file:
            file.write(target)
            types = [column.type for column in file.inspection.columns]
            delimiter = file.delimiter
        with target.open(encoding="utf-8", newline="") as written:
            arrived = list(csv.reader(written, delimiter=delimiter))[1:]
    assert len(arrived) == len(cells)
    for given_row, row in zip(cells, arrived, strict=True):
        for kind, before, after in zip(types[1:], given_row, row[1:], strict=True):
            assert _given_as(kind, before, after), (kind, before, after)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9)))
@settings(max_examples=30, deadline=timedelta(seconds=5))
def test_decimals_keep_every_digit(number: Decimal):
    with TemporaryDirectory() as folder:
        path, target = Path(folder) / "in.csv", Path(folder) / "out.csv"
        path.write_text(f"a,b\nx,{number}\n")
        with opened(path, CsvOptions(), Path(folder)) as file:
            file.write(target)
        assert target.read_text().splitlines()[1] == f"x,{number}"
