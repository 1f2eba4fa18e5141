"""What follows from a table's display name is written out when a recipe is kept."""

import pytest

from recipe import parse, pinned, unpinned

NAMES = {"source_2": "Places"}
SOURCE = {"type": "source", "table": "source_1"}
JOIN: dict[str, object] = {
    "type": "join",
    "with": "source_2",
    "left_on": "a",
    "right_on": "b",
}


def join(**changes: object) -> object:
    return parse({"steps": [SOURCE, JOIN | changes]})


def written(recipe: object) -> object:
    return pinned(parse(recipe), NAMES).model_dump(mode="json")["steps"][1]


def test_the_prefix_of_a_join_is_written_out_and_taken_back() -> None:
    kept = pinned(parse(join()), NAMES)
    assert written(join()) == JOIN | {"prefix": "Places_"}
    assert unpinned(kept, NAMES).model_dump(mode="json") == parse(join()).model_dump(mode="json")


def test_a_prefix_that_no_name_gives_any_more_is_shown() -> None:
    kept = pinned(parse(join()), NAMES)
    assert unpinned(kept, {"source_2": "Areas"}) == kept


@pytest.mark.parametrize("changes", [{"prefix": "p_"}, {"prefix": ""}, {"join_type": "semi"}])
def test_what_needs_no_name_stays_as_it_was_written(changes: dict[str, object]) -> None:
    assert written(join(**changes)) == JOIN | changes


def test_a_join_with_a_table_that_is_gone_stays_as_it_was_written() -> None:
    assert pinned(parse(join()), {}) == join()
    assert unpinned(parse(join(prefix="Places_")), {}) == join(prefix="Places_")


def test_the_longest_table_name_makes_a_prefix_that_can_be_read_again() -> None:
    kept = pinned(parse(join()), {"source_2": "x" * 200})
    assert parse(kept.model_dump(mode="json")) == kept
