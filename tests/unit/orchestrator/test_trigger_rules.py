"""Pipelines that would set each other off for ever are found, with the way."""

from uuid import UUID

import pytest

from orchestrator.trigger_rules import way_back

A, B, C, D = (UUID(int=number) for number in range(1, 5))


@pytest.mark.parametrize(
    ("runs_after", "way"),
    [
        ({}, None),
        ({A: [A]}, [A, A]),
        ({A: [B], B: [A]}, [A, B, A]),
        ({A: [B], B: [C], C: [D], D: [A]}, [A, D, C, B, A]),
        ({A: [B, C], B: [D], C: [D]}, None),
        ({A: [B, C], B: [D], C: [D], D: [A]}, [A, D, C, A]),
    ],
    ids=["none", "itself", "two", "in the order of the runs", "two ways to one", "behind them"],
)
def test_the_way_back_is_told_in_the_order_of_the_runs(runs_after, way):
    assert way_back(runs_after, A) == way


def test_a_circle_that_leads_elsewhere_is_none_of_its_own():
    assert way_back({A: [B], B: [C], C: [B]}, A) is None


def test_many_ways_are_looked_through_once():
    ladder = {
        UUID(int=number): [UUID(int=number + 1 + step) for step in range(2)]
        for number in range(1, 2000)
    }
    assert way_back(ladder, A) is None
