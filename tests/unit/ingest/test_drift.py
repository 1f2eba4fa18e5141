"""What is different between two versions of a table: found, said, and judged by policy."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.drift import ChangeDetail, RenamedColumn, RetypedColumn, SchemaChange
from contracts.envelope import new_id
from contracts.ingest import CsvConfig, KoboConfig
from contracts.tables import Column
from ingest.drift import Finding, compare, described, is_same, is_shrunken, status, summary
from ingest.guarding import shape_of
from recipe.tables import COLUMN_TYPES

TABLE = new_id()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(
        Column.model_validate({"name": name, "physical": name, "type": kind})
        for name, kind in types.items()
    )


def drift(old: tuple[Column, ...], new: tuple[Column, ...]) -> Finding:
    return Finding(TABLE, "", "drift", compare(old, new))


def shrinkage(old: int, new: int) -> Finding:
    return Finding(TABLE, "", "shrinkage", ChangeDetail(old_rows=old, new_rows=new))


def known(finding: Finding, status: str = "pending", number: int = 3) -> SchemaChange:
    return SchemaChange.model_validate(
        dict(finding.detail)
        | {
            "source_id": TABLE,
            "number": number,
            "table_id": TABLE,
            "table_name": finding.table_name,
            "kind": finding.kind,
            "status": status,
            "is_open": True,
            "run_id": TABLE,
            "first_seen": NOW,
            "last_seen": NOW,
        }
    )


PEOPLE = columns(name="text", age="integer", village="text")

tables = st.dictionaries(st.text(max_size=8), st.sampled_from(COLUMN_TYPES), max_size=8).map(
    lambda types: columns(**types)
)


def applied(old: tuple[Column, ...], detail: ChangeDetail) -> dict[str, str]:
    """The types of columns after a change, by name."""
    types = {column.name: column.type for column in old}
    for column in detail.removed:
        assert types.pop(column.name) == column.type
    for one in detail.retyped:
        assert types[one.name] == one.old
        types[one.name] = one.new
    return types | {column.name: column.type for column in detail.added}


@given(tables, tables)
def test_the_changes_make_the_new_columns_of_the_old_ones(old, new):
    detail = compare(old, new)
    assert applied(old, detail) == {column.name: column.type for column in new}
    assert compare(new, new) == compare(new, new[::-1]) == ChangeDetail()
    removed, added = ({one.name for one in part} for part in (detail.removed, detail.added))
    assert [pair.old for pair in detail.renames if pair.old not in removed] == []
    assert [pair.new for pair in detail.renames if pair.new not in added] == []
    assert len({pair.old for pair in detail.renames}) == len(detail.renames)
    assert len({pair.new for pair in detail.renames}) == len(detail.renames)


def test_a_wider_type_is_another_type():
    detail = compare(PEOPLE, columns(name="text", age="decimal", village="text"))
    assert detail == ChangeDetail(
        retyped=(RetypedColumn(name="age", old="integer", new="decimal"),)
    )


@pytest.mark.parametrize(
    ("new", "renames"),
    [
        # Names alike, wherever the column stands now.
        (columns(Village="text", name="text", age="integer"), [("village", "Village")]),
        # Another name between the same neighbours.
        (columns(name="text", age="integer", gaon="text"), [("village", "gaon")]),
        # Of two that would do the more alike one; the other one is new.
        (
            columns(name="text", villages="text", age="integer", settlement="text"),
            [("village", "villages")],
        ),
        # Another type is another column.
        (columns(name="text", age="integer", villages="integer"), []),
        # Nothing in common.
        (columns(a="text", b="integer", c="text"), []),
    ],
)
def test_a_rename_is_proposed_for_columns_of_one_type(new, renames):
    detail = compare(PEOPLE, new)
    assert detail.renames == tuple(RenamedColumn(old=old, new=new) for old, new in renames)
    assert {pair.old for pair in detail.renames} <= {column.name for column in detail.removed}


@pytest.mark.parametrize(
    ("old", "new", "percent", "shrunken"),
    [
        (100, 50, 50, False),
        (100, 49, 50, True),
        (100, 0, 99, True),
        (100, 0, 100, False),
        (1, 0, 50, True),
        (0, 0, 50, False),
        (10, 11, 0, False),
        (10, 9, 0, True),
    ],
)
def test_a_table_has_shrunk_when_more_than_the_percentage_is_gone(old, new, percent, shrunken):
    assert is_shrunken(old, new, percent) is shrunken


ADDED = drift(PEOPLE, (*PEOPLE, *columns(wells="integer")))
REMOVED = drift(PEOPLE, PEOPLE[:2])


@pytest.mark.parametrize(
    ("finding", "policy", "expected"),
    [
        (ADDED, None, "taken"),
        (ADDED, "accept", "taken"),
        (ADDED, "hold", "pending"),
        (ADDED, "fail", "pending"),
        (REMOVED, None, "pending"),
        (REMOVED, "accept", "taken"),
        (REMOVED, "hold", "pending"),
        (shrinkage(10, 1), "accept", "pending"),
    ],
)
def test_the_policy_says_what_is_taken(finding, policy, expected):
    assert status(finding, None, policy, is_asked=False) == expected
    assert status(finding, "accepted", policy, is_asked=False) == "accepted"


def test_what_was_asked_for_is_taken_but_not_the_loss_of_rows():
    assert status(REMOVED, None, "hold", is_asked=True) == "taken"
    assert status(shrinkage(10, 1), None, None, is_asked=True) == "pending"
    assert status(REMOVED, "rejected", None, is_asked=False) == "rejected"


def test_a_decision_on_so_many_rows_holds_for_what_is_not_much_less():
    accepted, rejected = (known(shrinkage(100, 40), word) for word in ("accepted", "rejected"))
    for rows, (is_accepted, is_rejected) in {
        40: (True, True),
        45: (True, True),
        20: (True, True),
        19: (False, False),
        0: (False, False),
    }.items():
        assert is_same(accepted, shrinkage(100, rows), 50) is is_accepted
        assert is_same(rejected, shrinkage(100, rows), 50) is is_rejected
    empty = known(shrinkage(100, 0), "rejected")
    assert is_same(empty, shrinkage(100, 0), 50)
    assert not is_same(empty, shrinkage(100, 30), 50)
    assert is_same(known(REMOVED, "accepted"), drift(PEOPLE[::-1], PEOPLE[1::-1]), 50)
    assert not is_same(known(REMOVED, "accepted"), ADDED, 50)


def test_a_change_is_said_in_words_with_its_number():
    new = columns(name="text", age="text", gaon="text")
    assert summary([known(drift(PEOPLE, new))]) == (
        "1 column is gone (village, perhaps renamed to gaon), "
        "1 column has another type (age: integer before, text now), "
        "1 column is new (gaon): accept or reject change 3"
    )
    both = [known(shrinkage(1000, 1), "rejected"), known(ADDED, number=4)]
    assert summary(both) == (
        "1 of 1,000 rows is left; 1 column is new (wells): "
        "accept or reject change 4, change 3 was rejected"
    )
    many = compare(columns(**dict.fromkeys("abcdefg", "text")), ())
    assert described(many, "children") == "in 'children' 7 columns are gone (a, b, c, d, e, …)"


def test_the_shape_of_a_config_is_what_decides_on_columns():
    config = CsvConfig(upload_id=TABLE)
    same = [{"upload_id": new_id()}, {"shrink_guard": 3}, {"on_schema_change": "hold"}]
    other = [{"types": "text"}, {"header_row": 2}, {"columns": {"age": {"type": "text"}}}]
    for change in same:
        assert shape_of(CsvConfig.model_validate(dict(config) | change)) == shape_of(config)
    for change in other:
        assert shape_of(CsvConfig.model_validate(dict(config) | change)) != shape_of(config)
    kobo = KoboConfig(server_url="https://kobo.example.org", form_id="a1")
    assert shape_of(kobo.model_copy(update={"api_token": SecretStr("x")})) == shape_of(kobo)
    assert shape_of(kobo.model_copy(update={"form_id": "b2"})) != shape_of(kobo)
