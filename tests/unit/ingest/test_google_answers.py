"""Answers of the Sheets API: read row by row, whatever their form, and bounded where they are not."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.connectors import Unavailable
from ingest.connectors.google import answers

cells = st.one_of(
    st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["]}", "[", '"'])
)
HEADS = st.sampled_from([{}, {"spreadsheetId": "a"}])
RANGES = st.sampled_from([{}, {"range": "Data!A1:B2", "majorDimension": "ROWS"}])


@given(st.lists(st.lists(cells, max_size=4), max_size=5), HEADS, RANGES, st.sampled_from([None, 2]))
def test_rows_are_as_json_has_them(rows, head, about, indent):
    answer = {**head, "valueRanges": [{**about, "values": rows}]}
    assert answers.values(json.dumps(answer, indent=indent).encode()) == rows


@pytest.mark.parametrize("answer", [{}, {"valueRanges": [{}]}, {"valueRanges": [{"range": "{A}"}]}])
def test_a_range_without_cells_has_no_rows(answer):
    assert answers.values(json.dumps(answer).encode()) == []


def test_numbers_keep_their_digits():
    (row,) = answers.values(b'{"valueRanges":[{"values":[[0.10, 12345678901234567.25]]}]}')
    assert row == [Decimal("0.10"), Decimal("12345678901234567.25")]


def test_a_long_answer_is_read_where_it_is_rows_and_only_there():
    rows = [["a" * 100] * 10] * 5_000
    body = json.dumps({"valueRanges": [{"values": rows}]}).encode()
    assert len(body) > answers.SMALL
    assert answers.values(body) == rows
    for other in (b'{"x":' + body + b"}", b"[" + body + b"]"):
        with pytest.raises(Unavailable):
            answers.values(other)
        with pytest.raises(Unavailable):
            answers.small(other)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"1", b'{"valueRanges":[{"values":[[1],', b"[" * 100_000],
)
def test_what_is_no_answer_is_told_as_google_being_away(body):
    with pytest.raises(Unavailable) as caught:
        answers.values(body)
    assert caught.value.code == "google_away"
