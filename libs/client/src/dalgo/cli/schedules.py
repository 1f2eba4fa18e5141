"""`dalgo pipelines schedule`."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from contracts.orchestrator import Frequency, Overlap, Schedule
from dalgo.cli import output
from dalgo.cli.naming import pipeline_named
from dalgo.cli.options import Json, connect

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Name = Annotated[str, typer.Argument(metavar="PIPELINE", help="Name or id.")]


def schedule(
    ctx: typer.Context,
    pipeline: Name,
    hourly: Annotated[bool, typer.Option("--hourly", help="Every hour, at --at's minute.")] = False,
    daily: Annotated[bool, typer.Option("--daily", help="Every day at --at.")] = False,
    weekly: Annotated[
        str | None, typer.Option(metavar="DAY", help="Every week on this day at --at: monday.")
    ] = None,
    cron: Annotated[
        str | None, typer.Option(help="Minute, hour, day of month, month, day of week.")
    ] = None,
    manual: Annotated[bool, typer.Option("--manual", help="Never by itself.")] = False,
    at: Annotated[str | None, typer.Option(metavar="HH:MM", help="Local time.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA name. Default: the organisation's.")
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Let one run wait while another still runs.")
    ] = False,
    paused: Annotated[bool, typer.Option("--paused", help="Keep it, but do not run.")] = False,
    as_json: Json = False,
) -> None:
    """Say when a pipeline runs by itself."""
    frequency = _frequency(hourly, daily, weekly, cron, manual)
    day = _day(weekly) if weekly is not None else None
    overlap: Overlap = "queue" if queue else "skip"
    with connect(ctx) as dalgo:
        found = pipeline_named(dalgo, pipeline)
        kept = dalgo.pipelines.schedule(
            found.id,
            frequency,
            run_at=at,
            day_of_week=day,
            cron=cron,
            timezone=timezone,
            is_active=not paused,
            overlap=overlap,
        )
    if as_json:
        output.as_json(kept)
        return
    typer.echo(f"'{found.name}' {_when(kept)}")
    zone = ZoneInfo(kept.timezone)
    for time in kept.next_runs:
        typer.echo(f"  {time.astimezone(zone):%a %Y-%m-%d %H:%M} ({time:%H:%M} UTC)")


def _frequency(
    hourly: bool, daily: bool, weekly: str | None, cron: str | None, manual: bool
) -> Frequency:
    choices: dict[Frequency, bool] = {
        "hourly": hourly,
        "daily": daily,
        "weekly": weekly is not None,
        "cron": cron is not None,
        "manual": manual,
    }
    chosen: list[Frequency] = [frequency for frequency, is_chosen in choices.items() if is_chosen]
    if len(chosen) != 1:
        raise typer.BadParameter(
            "Choose one of --hourly, --daily, --weekly DAY, --cron EXPRESSION, --manual."
        )
    return chosen[0]


def _day(said: str) -> int:
    found = [index for index, day in enumerate(_DAYS) if day.startswith(said.lower())]
    if len(found) != 1:
        raise typer.BadParameter(f"'{said}' is no day of the week. Example: monday")
    return found[0]


def _when(schedule: Schedule) -> str:
    if schedule.frequency == "manual":
        return "runs when somebody asks for it."
    if not schedule.is_active:
        return "is paused."
    return f"runs by itself ({schedule.frequency}, {schedule.timezone}). Next:"
