"""The difference between two readings of a form, applied to the old one, gives the new one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.connectors.kobo.changes import Counts, applied, counts, difference, stamps
from ingest.connectors.kobo.form import tables
from ingest.connectors.kobo.rows import Spool

READINGS = st.dictionaries(st.integers(1, 30), st.sampled_from("abc")).map(
    lambda found: sorted(found.items())
)


@given(READINGS, READINGS)
def test_the_difference_applied_to_the_old_gives_the_new(old, new) -> None:
    changes = list(difference(old, new))
    assert list(applied(old, changes, dict(new).__getitem__)) == new
    found = counts(changes, len(new))
    assert found.inserts + found.updates + found.unchanged == len(new)
    assert found.deletes + found.updates + found.unchanged == len(old)
    assert found.nothing == (old == new)


@given(READINGS, READINGS)
def test_no_change_is_said_that_is_none(old, new) -> None:
    before, after = dict(old), dict(new)
    for kind, number in difference(old, new):
        expected = {
            "insert": number not in before and number in after,
            "update": number in before and number in after and before[number] != after[number],
            "delete": number in before and number not in after,
        }
        assert expected[kind]


@given(READINGS)
def test_a_first_reading_is_all_inserts_and_an_emptied_form_all_deletes(reading) -> None:
    numbers = [number for number, _ in reading]
    assert list(difference([], reading)) == [("insert", number) for number in numbers]
    assert list(difference(reading, [])) == [("delete", number) for number in numbers]
    assert counts(difference(reading, reading), len(reading)) == Counts(unchanged=len(reading))


@pytest.mark.parametrize("wrong", [[(2, "a"), (1, "a")], [(1, "a"), (1, "b")]])
def test_readings_that_do_not_rise_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="comes after"):
        list(difference(wrong, []))
    with pytest.raises(ValueError, match="comes after"):
        list(difference([], wrong))


def test_a_change_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="not there"):
        list(applied([(1, "a")], [("delete", 2)], str))


def test_stamps_are_read_as_they_were_written(tmp_path: Path) -> None:
    with Spool(tables({"content": {}}, "codes"), tmp_path) as spool:
        given = [spool.add({"_id": number, "q": str(number)}) for number in (3, 5, 12345678901)]
        spool.finish()
        assert list(stamps(spool.stamps)) == given
