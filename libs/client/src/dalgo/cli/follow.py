"""A run on the terminal, while it happens: a line for each step that ends."""

from datetime import datetime

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from contracts.ingest import SyncProgress
from contracts.orchestrator import Run, RunEvent, Step
from dalgo.cli import output
from dalgo.client import Dalgo
from dalgo.tail import run_of, step_of

_VERBS = {"sync": "sync", "transform": "transform", "publish": "publish"}


def start_or_follow(dalgo: Dalgo, run: Run, *, stay: bool, as_json: bool) -> None:
    """What `sync` and `run` do with the run they started; exits 1 when it did not succeed."""
    if stay:
        finish(follow(dalgo, run, as_json=as_json), quiet=as_json)
    elif as_json:
        output.as_json(run)
    else:
        typer.echo(f"Run {run.id} is {run.status}. Watch it: dalgo runs follow {run.id}")


def follow(dalgo: Dalgo, run: Run, *, as_json: bool = False, after_version: int = 0) -> Run:
    """Show a run until it has ended, as lines or as a JSON object for each event."""
    if as_json:
        for event in dalgo.runs.events(run, after_version):
            typer.echo(event.model_dump_json())
        return dalgo.runs.get(run.id)
    return show(dalgo, run, output.console(), after_version)


def show(dalgo: Dalgo, run: Run, console: Console, after_version: int = 0) -> Run:
    """As `follow`, on the given console."""
    running: dict[object, Step] = {}
    progress: dict[object, SyncProgress] = {}
    ended: Run | None = None
    with console.status("waiting for its turn") as status:

        def tell() -> None:
            names = (_doing(step, progress.get(step.id)) for step in running.values())
            status.update(Text(", ".join(names) or "…"))

        def heard(news: SyncProgress) -> None:
            progress[news.step_id] = news
            tell()

        for event in dalgo.runs.events(run, after_version, on_progress=heard):
            step = step_of(event)
            if step is not None and event.type == "step_started":
                running[step.id] = step
            elif step is not None and event.type == "step_finished":
                running.pop(step.id, None)
                console.print(line(step, event.time))
            ended = _ended(event) or ended
            tell()
    return ended or dalgo.runs.get(run.id)


def finish(run: Run, *, quiet: bool = False) -> None:
    """Say how a run ended; exits 1 unless it succeeded."""
    if run.status == "succeeded":
        if not quiet:
            output.console().print(Text(f"Run {run.id} succeeded{_in(duration(run))}."))
        return
    why = f": {run.error.detail}" if run.error else ""
    output.console(err=True).print(Text(f"Run {run.id} {run.status}{why}"), style="red")
    for told in output.field_lines(run.error) if run.error else ():
        output.console(err=True).print(Text(f"  {told}"))
    raise typer.Exit(1)


def line(step: Step, at: datetime) -> Text:
    """A step that has ended, in one line: when, what, how many rows, how long."""
    rows = f"{step.rows:>12,} rows" if step.rows is not None else " " * 17
    text = Text(f"{at.astimezone():%H:%M:%S}  {_VERBS[step.kind]:<10} {step.name:<24}{rows}")
    taken = duration(step)
    text.append(f"{taken:8.2f} s" if taken is not None else " " * 10)
    if step.status == "failed" and step.error:
        text.append(f"  failed: {step.error.detail}", style="red")
    elif step.status != "succeeded":
        text.append(f"  {step.status}{f': {step.reason}' if step.reason else ''}", style="dim")
    return text


def duration(timed: Run | Step) -> float | None:
    """Seconds from start to end; None for what has not done both."""
    if timed.started_at is None or timed.finished_at is None:
        return None
    return (timed.finished_at - timed.started_at).total_seconds()


def _doing(step: Step, progress: SyncProgress | None) -> str:
    """What a step that runs is at: `sync donations: loading 1,200,000 of 3,000,000 rows`."""
    doing = f"{_VERBS[step.kind]} {step.name}"
    if progress is None:
        return doing
    rows = f" {progress.rows:,}" if progress.rows is not None else ""
    of = f"{' of' if rows else ''} {progress.total_rows:,}" if progress.total_rows else ""
    size = f" ({decimal(progress.total_bytes)})" if progress.total_bytes else ""
    return f"{doing}: {progress.phase}{rows}{of}{' rows' if rows or of else ''}{size}"


def _ended(event: RunEvent) -> Run | None:
    return run_of(event) if event.type in ("run_succeeded", "run_failed", "run_cancelled") else None


def _in(seconds: float | None) -> str:
    return f" in {seconds:.2f} s" if seconds is not None else ""
