"""What transform sees of a recipe that was not parsed, whatever is in it."""

import pytest

from transform.recipe_json import has_names_from_data, without_names

ODD = [None, 1, [], {}, [["pivot"]], {"pivot": 1}, True, "", "unknown"]


@pytest.mark.parametrize("kind", ODD, ids=repr)
def test_a_step_whose_type_is_no_text_is_left_to_the_parser(kind: object):
    recipe = {"steps": [{"type": kind, "read_names": ["a"]}, "no step", None]}
    assert not has_names_from_data(recipe)
    assert without_names(recipe) == recipe


@pytest.mark.parametrize("steps", [None, 1, "pivot", {}, {"type": "pivot"}], ids=repr)
def test_steps_that_are_no_list_are_left_to_the_parser(steps: object):
    assert not has_names_from_data({"steps": steps})


def test_names_that_were_read_from_the_data_go():
    step = {"type": "pivot", "read_names": ["a"], "column": "x"}
    assert has_names_from_data({"steps": [step]})
    assert without_names({"steps": [step]}) == {"steps": [{"type": "pivot", "column": "x"}]}
