"""`dalgo runs ...`."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any, cast, get_args
from uuid import UUID

import typer

from contracts.orchestrator import Run, RunKind, RunStatus, TriggerType
from dalgo.cli import output, sources, timeline
from dalgo.cli.follow import duration, finish
from dalgo.cli.follow import follow as follow_run
from dalgo.cli.naming import pipeline_named, recipe_named
from dalgo.cli.options import Json, connect
from dalgo.tail import has_ended

app = typer.Typer(no_args_is_help=True, help="What ran, and what runs.")

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="Its id.")]


def _any(choice: Any) -> str:
    """The values of a Literal, for a help text."""
    return ", ".join(get_args(choice))


@app.command()
def ls(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Name or id of a pipeline.")] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Name or id.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="Name or id.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(help=f"{_any(RunStatus)}; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"{_any(RunKind)}; may be repeated.")
    ] = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option(help=f"Why it began: {_any(TriggerType)}; may be repeated."),
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Begun or queued then or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Earlier than that.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the newest runs, or of those the ones that fit every option."""
    with connect(ctx) as dalgo:
        found = dalgo.runs.list(
            pipeline_id=pipeline_named(dalgo, pipeline).id if pipeline else None,
            source_id=sources.named(dalgo, source).id if source else None,
            transformation_id=recipe_named(dalgo, recipe).id if recipe else None,
            # The server says which values there are.
            status=cast("list[RunStatus] | None", status),
            kind=cast("list[RunKind] | None", kind),
            trigger=cast("list[TriggerType] | None", trigger),
            created_after=since,
            created_before=until,
            limit=min(limit, 100),
        )
        runs = list(islice(found, limit))
    if as_json:
        output.as_json(runs)
        return
    output.table(
        ("id", "kind", "status", "began by", "started", "seconds", "attempts", "steps"),
        [
            (
                run.id,
                run.kind,
                run.status,
                run.trigger.type,
                run.started_at,
                _seconds(run),
                run.attempt,
                len(run.steps),
            )
            for run in runs
        ],
    )


@app.command()
def show(ctx: typer.Context, run_id: RunId, as_json: Json = False) -> None:
    """Show how a run went: its attempts, and where the time of each went."""
    with connect(ctx) as dalgo:
        run = dalgo.runs.get(run_id)
        told = dalgo.runs.timeline(run_id)
    if as_json:
        output.as_json(run.model_dump(mode="json") | told.model_dump(mode="json"))
        return
    typer.echo(f"Run {run.id} ({run.kind}) is {run.status}.")
    if run.error:
        typer.echo(f"{run.error.detail}")
        for line in output.field_lines(run.error):
            typer.echo(f"  {line}")
    timeline.show(told.attempts)


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


def _seconds(timed: Run) -> str | None:
    taken = duration(timed)
    return None if taken is None else f"{taken:.2f}"
