"""`dalgo runs ...`."""

from itertools import islice
from typing import Annotated
from uuid import UUID

import typer

from contracts.orchestrator import Run, Step
from dalgo.cli import output
from dalgo.cli.follow import duration, finish
from dalgo.cli.follow import follow as follow_run
from dalgo.cli.naming import pipeline_named
from dalgo.cli.options import Json, connect
from dalgo.tail import has_ended

app = typer.Typer(no_args_is_help=True, help="What ran, and what runs.")

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="Its id.")]


@app.command()
def ls(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Name or id of a pipeline.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the newest runs."""
    with connect(ctx) as dalgo:
        chosen = pipeline_named(dalgo, pipeline).id if pipeline else None
        found = dalgo.runs.list(pipeline_id=chosen, limit=min(limit, 100))
        runs = list(islice(found, limit))
    if as_json:
        output.as_json(runs)
        return
    output.table(
        ("id", "kind", "status", "started", "seconds", "steps"),
        [
            (run.id, run.kind, run.status, run.started_at, _seconds(run), len(run.steps))
            for run in runs
        ],
    )


@app.command()
def show(ctx: typer.Context, run_id: RunId, as_json: Json = False) -> None:
    """Show a run and its steps."""
    with connect(ctx) as dalgo:
        run = dalgo.runs.get(run_id)
    if as_json:
        output.as_json(run)
        return
    typer.echo(f"Run {run.id} ({run.kind}) is {run.status}.")
    if run.error:
        typer.echo(f"{run.error.detail}")
        for line in output.field_lines(run.error):
            typer.echo(f"  {line}")
    output.table(
        ("step", "name", "status", "rows", "seconds", "note"),
        [
            (
                step.kind,
                step.name,
                step.status,
                output.count(step.rows),
                _seconds(step),
                step.error.detail if step.error else step.reason,
            )
            for step in run.steps
        ],
    )


@app.command()
def cancel(ctx: typer.Context, run_id: RunId, as_json: Json = False) -> None:
    """Ask a run to stop."""
    with connect(ctx) as dalgo:
        run = dalgo.runs.cancel(run_id)
    if as_json:
        output.as_json(run)
    else:
        told = "ended before" if has_ended(run) else "was asked to stop"
        typer.echo(f"Run {run.id} {told}: it is {run.status}.")


@app.command()
def retry(
    ctx: typer.Context,
    run_id: RunId,
    stay: Annotated[
        bool, typer.Option("--follow", help="Show how it goes; exit 1 unless it succeeds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a run that failed or was cancelled again, from where it stopped."""
    with connect(ctx) as dalgo:
        before = dalgo.runs.get(run_id)
        run = dalgo.runs.retry(run_id)
        if stay:
            ended = follow_run(dalgo, run, as_json=as_json, after_version=before.version)
            finish(ended, quiet=as_json)
        elif as_json:
            output.as_json(run)
        else:
            typer.echo(f"Run {run.id} is {run.status}. Watch it: dalgo runs follow {run.id}")


@app.command()
def follow(ctx: typer.Context, run_id: RunId, as_json: Json = False) -> None:
    """Show a run from its beginning to its end; exits 1 unless it succeeds."""
    with connect(ctx) as dalgo:
        finish(follow_run(dalgo, dalgo.runs.get(run_id), as_json=as_json), quiet=as_json)


def _seconds(timed: Run | Step) -> str | None:
    taken = duration(timed)
    return None if taken is None else f"{taken:.2f}"
