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
    as_json: Json = False,
) -> None:
    """Show a table's first rows."""
    with connect(ctx) as dalgo:
        name = table_name(table, dalgo.tables.list())
        page = dalgo.tables.preview(name, limit=limit)
    if as_json:
        output.as_json(page)
    else:
        output.page(page)
