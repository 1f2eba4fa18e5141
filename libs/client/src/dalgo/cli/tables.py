"""`dalgo tables ...`."""

from typing import Annotated

import typer

from dalgo.cli import output
from dalgo.cli.naming import table_name
from dalgo.cli.options import Json, connect

app = typer.Typer(no_args_is_help=True, help="The tables that came of it.")


@app.command()
def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the tables; those that were never published have no rows."""
    with connect(ctx) as dalgo:
        tables = list(dalgo.tables.list())
    if as_json:
        output.as_json(tables)
        return
    output.table(
        ("name", "kind", "rows", "columns", "updated", "used by", "physical name"),
        [
            (
                table.name,
                table.kind,
                output.count(table.row_count),
                len(table.columns),
                table.updated_at,
                table.used_by,
                table.physical_name,
            )
            for table in tables
        ],
    )


@app.command()
def head(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(help="Name, physical name or id.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 10,
    sort: Annotated[
        list[str] | None,
        typer.Option(help="A column to order by, - before it for descending; may be repeated."),
    ] = None,
    filter: Annotated[
        str | None, typer.Option(help="Which rows: a predicate of the recipe language as JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a table's first rows."""
    rows = output.from_json("--filter", filter) if filter else None
    with connect(ctx) as dalgo:
        name = table_name(table, dalgo.tables.list())
        page = dalgo.tables.preview(name, limit=limit, sort=sort or (), filter=rows)
    if as_json:
        output.as_json(page)
    else:
        output.page(page)


@app.command()
def profile(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(help="Name, physical name or id.")],
    as_json: Json = False,
) -> None:
    """Show what a table's columns hold: empty cells, distinct values, the most frequent ones."""
    with connect(ctx) as dalgo:
        found = dalgo.tables.profile(table_name(table, dalgo.tables.list()))
    if as_json:
        output.as_json(found)
    else:
        output.profile(found)
