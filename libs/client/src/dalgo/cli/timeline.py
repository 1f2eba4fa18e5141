"""How a run went, drawn: a line for each step with a bar where it was at work."""

from datetime import UTC, datetime

import typer

from contracts.orchestrator import RunAttempt, TimedStep
from dalgo.cli import output

_WIDTH = 32
_COLUMNS = ("step", "name", "status", "rows", "bytes", "waited", "took", "", "note")


def show(attempts: tuple[RunAttempt, ...]) -> None:
    """Print the attempts, the first one first; what still runs is drawn up to now."""
    now = datetime.now(UTC)
    for attempt in attempts:
        typer.echo(headline(attempt))
        if attempt.steps:
            span = _span(attempt, now)
            output.table(_COLUMNS, [_row(step, span, now) for step in attempt.steps])


def headline(attempt: RunAttempt) -> str:
    """The attempt in a sentence."""
    told = f"Attempt {attempt.number} is {attempt.status}"
    if attempt.waited_ms is not None:
        told += f", {_seconds(attempt.waited_ms)} s in the queue"
    if attempt.took_ms is not None:
        told += f", {_seconds(attempt.took_ms)} s at work"
    why = f": {attempt.error.detail}" if attempt.error else "."
    return told + why


def bar(step: TimedStep, span: int, now: datetime) -> str:
    """A step in an attempt of `span` milliseconds: dots while it waited, blocks while it ran."""
    if step.waited_ms is None:
        return ""
    begin = min(_WIDTH - 1, step.waited_ms * _WIDTH // span)
    end = (step.waited_ms + _took(step, now)) * _WIDTH // span
    return "·" * begin + "█" * max(1, min(_WIDTH, end) - begin)


def _row(step: TimedStep, span: int, now: datetime) -> tuple[object, ...]:
    return (
        step.kind,
        step.name,
        step.status,
        output.count(step.rows),
        output.count(step.bytes),
        _seconds(step.waited_ms),
        _seconds(step.took_ms),
        bar(step, span, now),
        step.error.detail if step.error else step.reason,
    )


def _span(attempt: RunAttempt, now: datetime) -> int:
    """Milliseconds that the bars of an attempt stand for in all."""
    ends = [
        step.waited_ms + _took(step, now) for step in attempt.steps if step.waited_ms is not None
    ]
    return max([1, attempt.took_ms or 0, *ends])


def _took(step: TimedStep, now: datetime) -> int:
    if step.took_ms is not None or step.started_at is None:
        return step.took_ms or 0
    return max(0, round((now - step.started_at).total_seconds() * 1000))


def _seconds(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds / 1000:.2f}"
