"""Physical names: safe, different, and already in dlt's normal form."""

from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import given
from hypothesis import strategies as st

from recipe.naming import physical_names

NAMES = st.lists(st.text(max_size=90) | st.sampled_from(["a", "A", "a_2", "_dlt_id", "é" * 80]))


def test_names_are_transliterated_and_told_apart() -> None:
    names = ["Full name", "जिला", "", "2024 %", "_dlt_id", "Name", "name", "HouseholdID"]
    assert physical_names(names) == [
        *("full_name", "jila", "column_3", "_2024", "dlt_id", "name", "name_2", "household_id"),
    ]


def test_no_column_is_called_like_one_that_every_table_has() -> None:
    assert physical_names(["ctid", "XMIN", "tableoid", "oid"]) == [
        *("ctid_2", "xmin_2", "tableoid_2", "oid")
    ]


@given(NAMES)
def test_names_are_short_different_and_never_the_loaders_own(names: list[str]) -> None:
    physical = physical_names(names)
    assert len(set(physical)) == len(names)
    assert all(0 < len(name.encode()) <= 63 for name in physical)
    assert not any(name.startswith("_dlt") for name in physical)


@given(NAMES)
def test_naming_and_dlt_leave_names_as_they_are(names: list[str]) -> None:
    dlt = NamingConvention(63)
    physical = physical_names(names)
    assert physical_names(physical) == physical
    assert [dlt.normalize_identifier(name) for name in physical] == physical
