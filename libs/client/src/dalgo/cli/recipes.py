"""`dalgo recipe ...`: recipes in files, and saved."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from contracts.transform import Transformation
from dalgo.cli import output
from dalgo.cli.naming import find
from dalgo.cli.options import Json, connect
from dalgo.client import Dalgo
from recipe.errors import RecipeError

app = typer.Typer(no_args_is_help=True, help="Recipes: what is made of the data.")

File = Annotated[
    Path, typer.Argument(help="A recipe as JSON; - reads it from the input.", allow_dash=True)
]
Saved = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a saved recipe.")]


@app.command()
def validate(ctx: typer.Context, file: File, as_json: Json = False) -> None:
    """Check a recipe against the tables, without touching data; exits 1 when it does not fit."""
    with connect(ctx) as dalgo:
        check = dalgo.transformations.validate(read(file))
    if as_json:
        output.as_json(check)
    elif check.valid:
        columns = check.steps[-1].columns if check.steps else ()
        typer.echo(
            f"The recipe fits: {output.some(len(check.steps), 'step')}, {output.some(len(columns), 'column')}."
        )
        output.table(("column", "type"), [(column.name, column.type) for column in columns])
    else:
        for error in check.errors:
            output.console(err=True).print(Text(_line(error)), style="red")
    if not check.valid:
        raise typer.Exit(1)


@app.command()
def preview(
    ctx: typer.Context,
    file: File,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 20,
    until_step: Annotated[int | None, typer.Option(min=0, help="Stop after this step.")] = None,
    as_json: Json = False,
) -> None:
    """Show the first rows that a recipe gives now."""
    with connect(ctx) as dalgo:
        found = dalgo.transformations.preview(read(file), limit=limit, until_step=until_step)
    if as_json:
        output.as_json(found)
    else:
        output.page(found)


@app.command()
def profile(
    ctx: typer.Context,
    file: File,
    until_step: Annotated[int | None, typer.Option(min=0, help="Stop after this step.")] = None,
    as_json: Json = False,
) -> None:
    """Show what the columns hold that a recipe gives now."""
    with connect(ctx) as dalgo:
        found = dalgo.transformations.profile(read(file), until_step=until_step)
    if as_json:
        output.as_json(found)
    else:
        output.profile(found)


@app.command()
def save(
    ctx: typer.Context,
    file: File,
    name: Annotated[str, typer.Option(help="What it is called, and its table unless --table.")],
    table: Annotated[str | None, typer.Option(help="Name of the table it makes.")] = None,
    as_json: Json = False,
) -> None:
    """Save a recipe: anew, or as the next version of the one of that name."""
    recipe = read(file)
    with connect(ctx) as dalgo:
        known = [each for each in dalgo.transformations.list() if each.name == name]
        saved = (
            dalgo.transformations.update(known[0].id, recipe=recipe, output_table_name=table)
            if known
            else dalgo.transformations.create(name, recipe, output_table_name=table)
        )
    if as_json:
        output.as_json(saved)
    else:
        typer.echo(
            f"Saved '{saved.name}' version {saved.version}, which makes the table "
            f"'{saved.output_table_name}' ({saved.id})."
        )


@app.command()
def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the saved recipes."""
    with connect(ctx) as dalgo:
        saved = list(dalgo.transformations.list())
    if as_json:
        output.as_json(saved)
        return
    output.table(
        ("name", "table", "steps", "version", "last run", "id"),
        [
            (t.name, t.output_table_name, len(t.recipe.steps), t.version, t.last_run_at, t.id)
            for t in saved
        ],
    )


@app.command()
def sql(ctx: typer.Context, name: Saved, as_json: Json = False) -> None:
    """Show the SQL of a saved recipe."""
    with connect(ctx) as dalgo:
        shown = dalgo.transformations.sql(named(dalgo, name).id)
    if as_json:
        output.as_json(shown)
    else:
        typer.echo(shown.sql)


def _line(error: RecipeError) -> str:
    kind = f" ({error.type})" if error.type else ""
    field = f", {error.field}" if error.field else ""
    return f"step {error.step}{kind}{field}: {error.message}"


def named(dalgo: Dalgo, text: str) -> Transformation:
    """The transformation of this name or id."""
    return find("recipe", text, dalgo.transformations.get, dalgo.transformations.list)


def read(file: Path) -> dict[str, Any]:
    """A recipe's JSON; raises Failure with the place where it is none."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        recipe = json.loads(text)
    except json.JSONDecodeError as error:
        raise output.Failure(
            f"{file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(recipe, dict):
        raise output.Failure(f'{file} is not a recipe: one begins {{"version": 1, "steps": [...')
    return recipe
