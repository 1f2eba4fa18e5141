"""Schedules on the days when clocks change, in the zones where the users are."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.orchestrator import ScheduleRule
from contracts.problem import ProblemError
from orchestrator.calendar import check, last_missed, next_times


def rule(frequency: str, zone: str = "UTC", at: str | None = None, **more: object) -> ScheduleRule:
    return ScheduleRule.model_validate(
        {"frequency": frequency, "timezone": zone, "run_at": at} | more
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


CASES = {
    "no clock changes in Nairobi": (
        rule("daily", "Africa/Nairobi", "06:00"),
        "2026-03-28T00:00",
        ["2026-03-28T03:00", "2026-03-29T03:00", "2026-03-30T03:00"],
    ),
    "nor in Kolkata, half an hour off": (
        rule("daily", "Asia/Kolkata", "06:00"),
        "2026-10-24T12:00",
        ["2026-10-25T00:30", "2026-10-26T00:30"],
    ),
    "a time that does not exist is due at the first that does": (
        rule("daily", "Europe/Berlin", "02:30"),
        "2026-03-28T00:00",
        ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"],
    ),
    "a time that exists twice is due once": (
        rule("daily", "Europe/Berlin", "02:30"),
        "2026-10-24T00:00",
        ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"],
    ),
    "six o'clock is six o'clock on both sides": (
        rule("daily", "Europe/Berlin", "06:00"),
        "2026-03-28T00:00",
        ["2026-03-28T05:00", "2026-03-29T04:00", "2026-03-30T04:00"],
    ),
    "hourly is every hour that passes, forward": (
        rule("hourly", "Europe/Berlin"),
        "2026-03-28T23:30",
        ["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"],
    ),
    "hourly is every hour that passes, back": (
        rule("hourly", "Europe/Berlin"),
        "2026-10-24T23:30",
        ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
    ),
    "hourly at the minute of its time": (
        rule("hourly", "America/New_York", "00:45"),
        "2026-11-01T04:00",
        ["2026-11-01T04:45", "2026-11-01T05:45", "2026-11-01T06:45", "2026-11-01T07:45"],
    ),
    "New York's Sunday of two half past ones": (
        rule("weekly", "America/New_York", "01:30", day_of_week=6),
        "2026-10-26T00:00",
        ["2026-11-01T05:30", "2026-11-08T06:30"],
    ),
    "New York's Sunday without half past two": (
        rule("weekly", "America/New_York", "02:30", day_of_week=6),
        "2026-03-02T00:00",
        ["2026-03-08T07:00", "2026-03-15T06:30"],
    ),
    "Lord Howe skips half an hour": (
        rule("daily", "Australia/Lord_Howe", "02:15"),
        "2026-10-02T16:00",
        ["2026-10-03T15:30", "2026-10-04T15:15"],
    ),
    "Lord Howe repeats half an hour": (
        rule("daily", "Australia/Lord_Howe", "01:45"),
        "2026-04-03T16:00",
        ["2026-04-04T14:45", "2026-04-05T15:15"],
    ),
    "two times that are both skipped are one": (
        rule("cron", "Europe/Berlin", cron="0,30 2,3 * * *"),
        "2026-03-29T00:00",
        ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00"],
    ),
    "Monday is 0": (
        rule("weekly", "UTC", "00:00", day_of_week=0),
        "2026-11-23T00:00",
        ["2026-11-30T00:00", "2026-12-07T00:00"],
    ),
    "the last day of February comes every four years": (
        rule("cron", "Asia/Kolkata", cron="0 6 29 2 *"),
        "2026-01-01T00:00",
        ["2028-02-29T00:30", "2032-02-29T00:30"],
    ),
    "words for common ones": (
        rule("cron", "UTC", cron="@monthly"),
        "2026-11-23T00:00",
        ["2026-12-01T00:00", "2027-01-01T00:00"],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_due_when_clocks_change(case):
    schedule, after, expected = case
    check(schedule)
    assert next_times(schedule, utc(after), len(expected)) == tuple(map(utc, expected))


def test_what_is_due_now_is_not_the_next():
    assert next_times(rule("daily", at="06:00"), utc("2026-01-01T06:00")) == (
        utc("2026-01-02T06:00"),
    )


def test_a_manual_pipeline_is_never_due():
    assert next_times(rule("manual"), utc("2026-01-01T00:00"), 5) == ()


@pytest.mark.parametrize(
    ("schedule", "field", "says"),
    [
        (rule("daily", "Mars/Olympus", "06:00"), "timezone", "no time zone 'Mars/Olympus'"),
        (rule("daily", "../etc/passwd", "06:00"), "timezone", "no time zone"),
        (rule("daily"), "run_at", "At what time"),
        (rule("weekly", at="06:00"), "day_of_week", "0 is Monday"),
        (rule("cron"), "cron", "five parts"),
        (rule("cron", cron="* * * *"), "cron", "five parts"),
        (rule("cron", cron="0 0 6 * * *"), "cron", "five parts"),
        (rule("cron", cron="61 * * * *"), "cron", "Bad minute"),
        (rule("cron", cron="0 0 31 2 *"), "cron", "no"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_at_its_field(schedule, field, says):
    with pytest.raises(ProblemError) as caught:
        check(schedule)
    assert caught.value.problem.status == 422
    assert [entry.field for entry in caught.value.problem.errors] == [field]
    assert says in caught.value.problem.detail


def test_of_what_was_missed_the_latest_counts():
    every = rule("hourly")
    due = utc("2026-01-01T00:00")
    assert last_missed(every, due, utc("2026-01-01T00:30")) == (due, 0)
    assert last_missed(every, due, utc("2026-01-01T05:30")) == (utc("2026-01-01T05:00"), 5)


ZONES = ["Africa/Nairobi", "Asia/Kolkata", "Europe/Berlin", "America/New_York"]


@given(
    zone=st.sampled_from([*ZONES, "Australia/Lord_Howe"]),
    at=st.times().map(lambda one: time(one.hour, one.minute)),
    start=st.integers(0, 6 * 365 * 24 * 60).map(lambda n: utc("2024-01-01") + timedelta(minutes=n)),
)
def test_every_day_has_its_time_once(zone, at, start):
    found = next_times(rule("daily", zone, at.isoformat()), start, 30)
    assert list(found) == sorted(set(found))
    gaps = {later - earlier for earlier, later in pairwise(found)}
    assert all(22 <= gap.total_seconds() / 3600 <= 26 for gap in gaps)
