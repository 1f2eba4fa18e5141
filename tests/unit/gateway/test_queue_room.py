"""How seldom the gateway asks whether an organisation's queue of runs is full."""

from uuid import uuid4

import pytest

from gateway import queue_room
from gateway.queue_room import QueueRoom

STARTS = 120


def test_a_queue_that_was_never_asked_for_may_be_full():
    assert not QueueRoom(STARTS).is_sure(uuid4())


def test_room_for_a_burst_and_a_minute_of_starts_lasts_a_minute():
    now = 1_000.0
    room, org_id, other = QueueRoom(STARTS, clock=lambda: now), uuid4(), uuid4()
    room.learn(org_id, 2 * STARTS)
    now += 59.9
    room.learn(other, 2 * STARTS)
    assert room.is_sure(org_id)
    now += 0.2
    assert not room.is_sure(org_id)


def test_whether_runs_are_kept_at_all_is_asked_every_two_seconds():
    now = 1_000.0
    room, org_id = QueueRoom(STARTS, clock=lambda: now), uuid4()
    room.learn(org_id, 2 * STARTS)
    now += 1.9
    assert room.is_sure(org_id)
    now += 0.2
    assert not room.is_sure(org_id)


def test_less_room_than_that_is_asked_for_each_time():
    room, org_id = QueueRoom(STARTS), uuid4()
    room.learn(org_id, 2 * STARTS - 1)
    assert not room.is_sure(org_id)


def test_one_organisation_says_nothing_of_another_and_a_great_many_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(queue_room, "_KNOWN", 2)
    room, ids = QueueRoom(STARTS), [uuid4() for _ in range(3)]
    for org_id in ids:
        room.learn(org_id, 10_000)
    assert [room.is_sure(org_id) for org_id in [*ids, uuid4()]] == [False, True, True, False]
