"""Cells as JSON: what a browser reads back is what the database holds."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transform.values import cell


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**53) - 1, "-9007199254740993"),
        (float("nan"), None),
        (float("-inf"), None),
        (1.5, 1.5),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("2.50"), 2.5),
        (Decimal("3.00"), 3),
        (Decimal("1E+20"), "100000000000000000000"),
        (Decimal("0.123456789012345"), 0.123456789012345),
        (Decimal("0.1234567890123456"), "0.1234567890123456"),
        (
            Decimal("123.45000000000000000000000000000000001"),
            "123.45000000000000000000000000000000001",
        ),
        (Decimal("1E-20"), 1e-20),
        (date(2026, 2, 28), "2026-02-28"),
        (time(13, 45), "13:45:00"),
        (datetime(2026, 2, 28, 13, 45), "2026-02-28T13:45:00"),  # noqa: DTZ001
        (datetime(2026, 2, 28, 13, 45, tzinfo=UTC), "2026-02-28T13:45:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", "00ff"),
        ({"a": [2**60, Decimal("0.5")]}, {"a": [str(2**60), 0.5]}),
    ],
)
def test_a_cell_is_shown(value, shown):
    assert cell(value) == shown
    assert type(cell(value)) is type(shown)


@given(st.integers() | st.floats() | st.decimals())
def test_a_number_survives_a_browser(value):
    """A browser reads every number as a double."""
    text = json.dumps(cell(value), allow_nan=False)
    read = json.loads(text, parse_int=float)
    if read is None:
        assert not Decimal(value).is_finite()
    elif isinstance(read, str) or not isinstance(value, Decimal):
        assert Decimal(read) == Decimal(value)
    else:
        assert float(read) == float(value)
