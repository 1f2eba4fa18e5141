"""When a schedule is due: cron expressions in a time zone, right on the days when clocks change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from contracts.orchestrator import ScheduleRule
from contracts.problem import FieldProblem, ProblemError, problem

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MANY = 10_000
"""Times that are looked through for the last one that was missed: a week of every minute."""


def check(rule: ScheduleRule) -> None:
    """Raise a 422 problem at the field, unless the rule can be followed."""
    try:
        ZoneInfo(rule.timezone)
    except (KeyError, ValueError, OSError):
        raise _refused(
            "timezone", f"There is no time zone '{rule.timezone}'. Example: Africa/Nairobi"
        ) from None
    if rule.frequency == "manual":
        return
    if rule.frequency == "weekly" and rule.day_of_week is None:
        raise _refused("day_of_week", "Which day of the week? 0 is Monday, 6 is Sunday")
    if rule.frequency in ("daily", "weekly") and rule.run_at is None:
        raise _refused("run_at", "At what time? Example: 06:00")
    if rule.frequency == "cron":
        _check_cron(rule)


def next_times(rule: ScheduleRule, after: datetime, count: int = 1) -> tuple[datetime, ...]:
    """The next `count` times later than `after`, in UTC; fewer when there are no more.

    A local time that does not exist is due at the first that does. One that exists twice is due
    once, the first time; what is due in every hour is due in every hour that passes.
    """
    return tuple(islice(_times(rule, after), count))


def last_missed(rule: ScheduleRule, due: datetime, now: datetime) -> tuple[datetime, int]:
    """Of the times from `due` to `now` the latest, and how many came before it."""
    latest, before = due, 0
    for time in islice(_times(rule, due), _MANY):
        if time > now:
            break
        latest, before = time, before + 1
    return latest, before


def _times(rule: ScheduleRule, after: datetime) -> Iterator[datetime]:
    expression = _expression(rule)
    if expression is None:
        return
    last = after.astimezone(UTC)
    try:
        # It begins with the next whole minute after what it is given.
        for local in CronSim(expression, last.astimezone(ZoneInfo(rule.timezone))):
            time = local.astimezone(UTC)
            # Two local times that a change of the clocks skips become the same one.
            if time > last:
                yield time
                last = time
    except CronSimError:
        # No such day within the next fifty years.
        return


def _expression(rule: ScheduleRule) -> str | None:
    hour, minute = (rule.run_at.hour, rule.run_at.minute) if rule.run_at else (0, 0)
    match rule.frequency:
        case "manual":
            return None
        case "hourly":
            return f"{minute} * * * *"
        case "daily":
            return f"{minute} {hour} * * *"
        case "weekly":
            assert rule.day_of_week is not None
            # Cron counts from Sunday.
            return f"{minute} {hour} * * {(rule.day_of_week + 1) % 7}"
        case "cron":
            return _cron(rule)


def _cron(rule: ScheduleRule) -> str:
    said = (rule.cron or "").strip()
    return _ALIASES.get(said.lower(), said)


def _check_cron(rule: ScheduleRule) -> None:
    expression = _cron(rule)
    if len(expression.split()) != 5:
        raise _refused(
            "cron",
            "A cron expression has five parts: minute, hour, day of month, month, day of week. "
            "Example: 30 6 * * 1-5",
        )
    try:
        CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC) - timedelta(minutes=1))
    except CronSimError as error:
        raise _refused("cron", f"'{expression}' is no cron expression: {error}") from None
    if not next_times(rule, datetime.now(UTC)):
        raise _refused("cron", f"'{expression}' names no day that ever comes")


def _refused(field: str, message: str) -> ProblemError:
    entry = FieldProblem(field=field, code="bad_schedule", message=message)
    return problem(422, "bad_schedule", f"{message}.", (entry,))
