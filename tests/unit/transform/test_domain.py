"""Names, cycles and the columns of live views."""

from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.problem import ProblemError
from recipe import RecipeError
from transform.domain import (
    CatalogueTable,
    beyond,
    checked_name,
    find_cycle,
    invalid_recipe,
    name_taken,
    not_synced,
    table_in_use,
    view_columns,
)

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def test_a_way_back_is_found_with_both_ends():
    assert find_cycle({A: {B}, B: {C}, C: {A, D}}, A) == [A, B, C, A]


def test_a_table_that_reads_itself_is_a_cycle():
    assert find_cycle({A: {A}}, A) == [A, A]


def test_a_cycle_elsewhere_is_not_ones_own():
    assert find_cycle({A: {B}, B: {C}, C: {B}}, A) is None


def test_two_ways_to_one_table_are_no_cycle():
    assert find_cycle({A: {B, C}, B: {D}, C: {D}}, A) is None


# Whether generating is slow is the machine's affair, and no property of the code.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=24))
def test_a_way_that_is_found_can_be_walked(edges):
    reads: dict[UUID, set[UUID]] = {}
    for reader, read in edges:
        reads.setdefault(UUID(int=reader), set()).add(UUID(int=read))
    way = find_cycle(reads, UUID(int=0))
    if way is not None:
        assert way[0] == way[-1] == UUID(int=0)
        assert all(read in reads[table] for table, read in pairwise(way))


@pytest.mark.parametrize(
    ("old", "new", "ordered", "fits"),
    [
        ("", "a b", "a b", True),
        ("", "id a", "a id", True),
        ("a b", "a b c", "a b c", True),
        ("a id", "a b id", "a id b", True),
        ("a b", "b a", "b a", False),
        ("a b", "a", "a", False),
        ("a b id", "a id", "a id", False),
        ("a id", "a", "a", False),
    ],
)
def test_a_view_is_replaced_in_place_while_columns_only_come_behind(old, new, ordered, fits):
    types = dict.fromkeys(f"{old} {new}".split(), "text")
    before = {name: types[name] for name in old.split()}
    after = {name: types[name] for name in new.split()}
    assert view_columns(before, after, last="id") == (ordered.split(), fits)


def test_a_column_of_another_type_makes_the_view_anew():
    assert view_columns({"a": "bigint"}, {"a": "text"}, last="id") == (["a"], False)


@pytest.mark.parametrize(
    ("old", "new", "ordered"),
    [("a b id", "b c a id", "a b id c"), ("a id b", "id b a", "a id b"), ("a b", "b a", "a b")],
)
def test_columns_that_may_not_move_keep_their_places(old, new, ordered):
    before, after = (dict.fromkeys(names.split(), "text") for names in (old, new))
    assert view_columns(before, after, last="id", may_move=False) == (ordered.split(), True)


def test_a_free_name_is_the_first_that_is_free():
    (error,) = name_taken("people", {"people", "people_2"}, "name").problem.errors
    assert error.alternatives == ("people_3",)
    (error,) = name_taken("My people", {"my people"}, "name").problem.errors
    assert error.alternatives == ("My people 2",)


def test_a_name_loses_its_outer_space_only():
    assert checked_name("  Année 2024, été ") == "Année 2024, été"


def test_a_name_that_is_refused_says_at_which_field():
    with pytest.raises(ProblemError) as raised:
        checked_name("TRANSFORM_" + "0" * 32, "output_table_name")
    (error,) = raised.value.problem.errors
    assert (error.field, error.code) == ("output_table_name", "bad_name")


def test_users_are_listed_as_people_would():
    detail = table_in_use("people", ["One", "Two"], ["Monthly"]).problem.detail
    assert "the transformation 'One', the transformation 'Two' and the pipeline" in detail


def test_what_to_run_depends_on_the_kind_of_table():
    tables = [
        CatalogueTable(uuid4(), "source", "people", ()),
        CatalogueTable(uuid4(), "transform", "adults", ()),
    ]
    detail = not_synced(tables, 422).problem.detail
    assert "'people' has not been synced yet" in detail
    assert "'adults' has not been built yet" in detail


def test_the_errors_of_a_recipe_become_one_problem():
    errors = [
        RecipeError(step=1, field="column", code="unknown_column", message="No 'a' here."),
        RecipeError(step=2, step_id="x", code="wrong_type", message="A text."),
    ]
    problem = invalid_recipe(errors).problem
    assert problem.detail == "Step 1: No 'a' here. (1 more)"
    assert [(error.step, error.step_id, error.field) for error in problem.errors] == [
        (1, None, "column"),
        (2, "x", ""),
    ]


def test_what_lies_beyond_a_table_is_found_through_others_and_in_circles() -> None:
    a, b, c, d = (UUID(int=number) for number in range(1, 5))
    edges = {a: {b}, b: {c, a}, c: {a}}
    assert beyond(edges, a) == {b, c}
    assert beyond(edges, d) == set()
