"""`dalgo recipe ...`: recipes in files, and saved."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from contracts.transform import ColumnOrigin
from dalgo.cli import output, versions
from dalgo.cli.naming import recipe_named
from dalgo.cli.options import Json, connect
from dalgo.cli.recipe_files import is_file, read
from dalgo.cli.versions import Saved, said
from recipe.errors import RecipeError

app = typer.Typer(no_args_is_help=True, help="Recipes: what is made of the data.")

File = Annotated[
    Path,
    typer.Argument(help="A recipe as JSON or YAML; - reads it from the input.", allow_dash=True),
]


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
        output.warnings(check.warnings)
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
def show(
    ctx: typer.Context,
    name: Saved,
    version: Annotated[
        int | None, typer.Option(min=1, help="An old version; without it, the newest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a saved recipe, step by step."""
    with connect(ctx) as dalgo:
        saved = recipe_named(dalgo, name)
        old = dalgo.transformations.version(saved.id, version) if version else None
    if as_json:
        output.as_json(old or saved)
        return
    shown = old.version if old else saved.version
    typer.echo(
        f"'{saved.name}' version {shown}, which makes the table '{saved.output_table_name}'."
    )
    steps = (old or saved).recipe.model_dump(mode="json")["steps"]
    output.table(
        ("step", "type", "says", "note"),
        [(number, step["type"], said(step), _note(step)) for number, step in enumerate(steps)],
    )


@app.command()
def sql(
    ctx: typer.Context,
    recipe: Annotated[
        str, typer.Argument(metavar="FILE|NAME", help="A file as above, or a saved recipe.")
    ],
    as_json: Json = False,
) -> None:
    """Show the SQL of a recipe, in a file or saved."""
    with connect(ctx) as dalgo:
        if is_file(recipe):
            shown = dalgo.transformations.sql(recipe=read(Path(recipe)))
        else:
            shown = dalgo.transformations.sql(recipe_named(dalgo, recipe).id)
    if as_json:
        output.as_json(shown)
    else:
        typer.echo(shown.sql)


@app.command()
def lineage(ctx: typer.Context, name: Saved, as_json: Json = False) -> None:
    """Show which columns of which sources each column comes from."""
    with connect(ctx) as dalgo:
        traced = dalgo.transformations.lineage(recipe_named(dalgo, name).id)
    if as_json:
        output.as_json(traced)
        return
    output.table(
        ("column", "type", "from"),
        [(c.name, c.type, [_origin(one) for one in c.origins]) for c in traced.columns],
    )


for command in (versions.versions, versions.diff, versions.restore):
    app.command()(command)


def _note(step: dict[str, Any]) -> str | None:
    notes = [] if step.get("enabled", True) else ["disabled"]
    notes += [step["note"]] if step.get("note") else []
    return "; ".join(notes) or None


def _origin(origin: ColumnOrigin) -> str:
    return f"{origin.table}.{origin.column}" if origin.column else f"rows of {origin.table}"


def _line(error: RecipeError) -> str:
    kind = f" ({error.type})" if error.type else ""
    field = f", {error.field}" if error.field else ""
    return f"step {error.step}{kind}{field}: {error.message}"
