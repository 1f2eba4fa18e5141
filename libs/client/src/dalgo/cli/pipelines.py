"""`dalgo pipelines ...`."""

from typing import Annotated

import typer

from dalgo.cli import output, schedules, sources, triggers
from dalgo.cli.follow import start_or_follow
from dalgo.cli.naming import pipeline_named, recipe_named
from dalgo.cli.options import Follow, Force, Json, connect

app = typer.Typer(no_args_is_help=True, help="Sources and recipes that run together.")


@app.command()
def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the pipelines."""
    with connect(ctx) as dalgo:
        pipelines = list(dalgo.pipelines.list())
    if as_json:
        output.as_json(pipelines)
        return
    output.table(
        ("name", "sources", "recipes", "last run", "id"),
        [
            (p.name, len(p.source_ids), len(p.transformation_ids), p.last_run_at, p.id)
            for p in pipelines
        ],
    )


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="Name or id; may be repeated.")
    ] = None,
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", "-r", help="Name or id; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a pipeline; the order of its work follows from what the recipes read."""
    with connect(ctx) as dalgo:
        pipeline = dalgo.pipelines.create(
            name,
            [sources.named(dalgo, each).id for each in source or ()],
            [recipe_named(dalgo, each).id for each in recipe or ()],
        )
    if as_json:
        output.as_json(pipeline)
    else:
        typer.echo(f"Created pipeline '{pipeline.name}' ({pipeline.id}).")


@app.command()
def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PIPELINE", help="Name or id.")],
    follow: Follow = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Run a pipeline; with --follow exits 1 unless it succeeds."""
    with connect(ctx) as dalgo:
        started = dalgo.pipelines.run(pipeline_named(dalgo, name).id, force=force)
        start_or_follow(dalgo, started, stay=follow, as_json=as_json)


for command in (schedules.schedule, triggers.triggers, triggers.firings):
    app.command()(command)
