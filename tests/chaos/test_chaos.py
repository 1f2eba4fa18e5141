"""Runs that are acknowledged end once and right, whatever dies meanwhile: the bounded history."""

import pytest

from . import report
from .leaders import kill_leaders
from .session import Plan, play


@pytest.mark.timeout(300)
async def test_no_acknowledged_run_is_lost_doubled_mixed_or_stuck_when_everything_dies():
    outcome = await play(Plan(runs=26, organizations=2, seed=7, pause=(0.1, 0.6)))
    assert report.wrong(outcome) == []


@pytest.mark.timeout(300)
async def test_a_cluster_of_three_may_lose_the_leaders_of_its_streams_and_consumers():
    outcome = await play(
        Plan(runs=16, organizations=2, seed=7, servers=3, pause=(4.0, 6.0)), kill_leaders
    )
    assert report.wrong(outcome) == []
