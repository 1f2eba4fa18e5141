"""Runs that are acknowledged end once and right, whatever dies meanwhile: the bounded history."""

import pytest

from . import report
from .ground import TWO_OF_EACH
from .leaders import kill_each_leader
from .session import Plan, harm_once, play

pytestmark = pytest.mark.timeout(300)


async def test_no_acknowledged_run_is_lost_doubled_mixed_or_stuck_when_everything_dies():
    plan = Plan(
        runs=20,
        organizations=2,
        seed=7,
        replicas=TWO_OF_EACH | {"auth": 1, "gateway": 1},
        pause=(0.1, 0.6),
        to_the_end=True,
    )
    outcome = await play(plan, harm_once)
    assert report.wrong(outcome) == []
    assert len(outcome.history.acknowledged) == 20


async def test_a_cluster_of_three_loses_the_leaders_of_its_streams_and_consumers():
    plan = Plan(
        runs=14,
        organizations=1,
        seed=7,
        servers=3,
        replicas=dict.fromkeys(TWO_OF_EACH, 1),
        pause=(2.0, 3.0),
        to_the_end=True,
    )
    outcome = await play(plan, kill_each_leader)
    assert report.wrong(outcome) == []
    assert outcome.nemesis.done["NATS killed"] == 3
