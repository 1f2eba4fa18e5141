"""What two versions of a recipe do not have in common."""

from collections.abc import Mapping

import pytest

from recipe import parse
from recipe.diff import differences

Step = Mapping[str, object]

SOURCE: dict[str, object] = {"type": "source", "table": "people"}
ADULTS: dict[str, object] = {
    "type": "filter",
    "column": "age",
    "operator": "greater_than",
    "value": 17,
}
ACTIVE: dict[str, object] = {
    "type": "filter",
    "column": "status",
    "operator": "equals",
    "value": "Active",
}
SORT: dict[str, object] = {"type": "sort", "columns": ["age"]}
LIMIT: dict[str, object] = {"type": "limit", "count": 5}
GROUP: dict[str, object] = {
    "type": "group",
    "by": ["district"],
    "aggregates": [
        {"function": "count", "alias": "rows"},
        {"function": "sum", "column": "age", "alias": "age"},
    ],
}


def told(old: list[Step], new: list[Step]) -> list[tuple[object, ...]]:
    """Kind, type, positions, and what changed inside."""
    changes = differences(parse({"steps": old}), parse({"steps": new}))
    return [
        (
            change.kind,
            change.type,
            change.old_step,
            change.new_step,
            {field.field: (field.old, field.new) for field in change.fields},
        )
        for change in changes
    ]


def test_nothing_changed_between_equal_recipes() -> None:
    assert told([SOURCE, ADULTS, SORT], [SOURCE, ADULTS, SORT]) == []


def test_a_default_that_is_written_out_is_no_change() -> None:
    join = {"type": "join", "with": "places", "left_on": "a", "right_on": "b"}
    assert told([SOURCE, join], [SOURCE, join | {"join_type": "left", "enabled": True}]) == []


def test_another_id_alone_is_no_change() -> None:
    assert told([SOURCE, ADULTS | {"id": "a"}], [SOURCE, ADULTS | {"id": "b"}]) == []


def test_a_step_between_others_is_added_and_nothing_else_changed() -> None:
    assert told([SOURCE, ADULTS, SORT], [SOURCE, ADULTS, LIMIT, SORT]) == [
        ("added", "limit", None, 2, {})
    ]


def test_a_step_that_went_is_removed_where_it_stood() -> None:
    changes = differences(
        parse({"steps": [SOURCE, ADULTS, LIMIT, SORT]}), parse({"steps": [SOURCE, SORT]})
    )
    assert [(change.kind, change.old_step) for change in changes] == [
        ("removed", 1),
        ("removed", 2),
    ]
    assert changes[0].old == ADULTS
    assert changes[0].new is None


def test_a_changed_value_is_told_by_its_field() -> None:
    assert told([SOURCE, ADULTS], [SOURCE, ADULTS | {"value": 20}]) == [
        ("changed", "filter", 1, 1, {"value": (17, 20)})
    ]


def test_true_is_not_one() -> None:
    assert told([SOURCE, ADULTS | {"value": 1}], [SOURCE, ADULTS | {"value": True}]) == [
        ("changed", "filter", 1, 1, {"value": (1, True)})
    ]


def test_another_table_is_a_changed_source() -> None:
    assert told([SOURCE], [SOURCE | {"table": "persons"}]) == [
        ("changed", "source", 0, 0, {"table": ("people", "persons")})
    ]


def test_of_two_filters_the_one_that_looks_alike_was_changed() -> None:
    changed = ADULTS | {"operator": "less_than"}
    assert told([SOURCE, ADULTS, ACTIVE], [SOURCE, ACTIVE, changed]) == [
        ("changed", "filter", 1, 2, {"operator": ("greater_than", "less_than")})
    ]


def test_steps_of_one_type_with_nothing_in_common_are_others() -> None:
    other = {"type": "filter", "column": "name", "operator": "is_blank"}
    third = {"type": "filter", "column": "town", "operator": "is_null"}
    kinds = [change[0] for change in told([SOURCE, ADULTS, ACTIVE], [SOURCE, other, third])]
    assert sorted(map(str, kinds)) == ["added", "added", "removed", "removed"]


def test_an_id_tells_which_step_it_was_however_much_it_changed() -> None:
    new = [SOURCE, ACTIVE | {"id": "x"}, ADULTS]
    assert told([SOURCE, ADULTS | {"id": "x"}], new) == [
        (
            "changed",
            "filter",
            1,
            1,
            {
                "column": ("age", "status"),
                "operator": ("greater_than", "equals"),
                "value": (17, "Active"),
            },
        ),
        ("added", "filter", None, 2, {}),
    ]


def test_a_step_of_another_type_is_another_step_whatever_its_id() -> None:
    assert told([SOURCE, LIMIT | {"id": "x"}], [SOURCE, SORT | {"id": "x"}]) == [
        ("added", "sort", None, 1, {}),
        ("removed", "limit", 1, None, {}),
    ]


def test_a_step_that_only_moved_says_from_where() -> None:
    assert told([SOURCE, ADULTS, ACTIVE, SORT], [SOURCE, ACTIVE, SORT, ADULTS]) == [
        ("moved", "filter", 1, 3, {})
    ]


def test_a_disabled_step_is_a_changed_one() -> None:
    assert told([SOURCE, ADULTS], [SOURCE, ADULTS | {"enabled": False}]) == [
        ("changed", "filter", 1, 1, {"enabled": (True, False)})
    ]


def test_an_item_that_was_put_first_does_not_change_those_behind_it() -> None:
    average = {"function": "avg", "column": "age", "alias": "average"}
    aggregates = GROUP["aggregates"]
    assert isinstance(aggregates, list)
    ((kind, _, _, _, fields),) = told(
        [SOURCE, GROUP], [SOURCE, GROUP | {"aggregates": [average, *aggregates]}]
    )
    assert kind == "changed"
    assert isinstance(fields, dict)
    assert list(fields) == ["aggregates.0"]
    assert fields["aggregates.0"][0] is None


def test_a_field_of_an_item_is_told_by_its_path() -> None:
    aggregates = [
        {"function": "count", "alias": "rows"},
        {"function": "max", "column": "age", "alias": "age"},
    ]
    ((*_, fields),) = told([SOURCE, GROUP], [SOURCE, GROUP | {"aggregates": aggregates}])
    assert fields == {"aggregates.1.function": ("sum", "max")}


def test_a_list_of_names_is_one_value() -> None:
    select = {"type": "select", "columns": ["a", "b"]}
    ((*_, fields),) = told([SOURCE, select], [SOURCE, select | {"columns": ["a", "c"]}])
    assert fields == {"columns": (["a", "b"], ["a", "c"])}


@pytest.mark.parametrize("count", [100])
def test_long_recipes_are_compared_quickly(count: int) -> None:
    filters = [ADULTS | {"value": number} for number in range(count)]
    new = [*reversed(filters), ACTIVE]
    changes = told([SOURCE, *filters], [SOURCE, *new])
    assert sum(change[0] == "added" for change in changes) == 1
    assert sum(change[0] == "moved" for change in changes) == count - 1
