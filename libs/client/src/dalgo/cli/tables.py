"""`dalgo tables ...`."""

from typing import Annotated
from uuid import UUID

import typer
from rich.filesize import decimal

from dalgo.cli import output
from dalgo.cli.naming import table_name
from dalgo.cli.options import Json, connect
from dalgo.cli.output import Failure

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


@app.command()
def versions(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(help="Name, physical name or id.")],
    as_json: Json = False,
) -> None:
    """List the versions of a table that are still there, newest first."""
    with connect(ctx) as dalgo:
        found = dalgo.tables.versions(table_name(table, dalgo.tables.list()))
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("version", "readers see it", "published", "rows", "columns", "size"),
        [
            (
                one.version,
                "yes" if one.is_current else "",
                one.published_at,
                output.count(one.row_count),
                len(one.columns),
                decimal(one.bytes),
            )
            for one in found
        ],
    )


@app.command()
def storage(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """Show how much room the tables take, with their former versions; the largest first."""
    with connect(ctx) as dalgo:
        found = dalgo.tables.storage(limit=limit)
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("name", "published", "former", "former versions"),
        [
            (
                table.name,
                decimal(table.published_bytes),
                decimal(table.former_bytes),
                table.former_versions,
            )
            for table in found.tables
        ],
    )
    typer.echo(
        f"Published {decimal(found.published_bytes)}; former versions {decimal(found.former_bytes)} "
        f"of {decimal(found.former_budget_bytes)} that they may take; not published "
        f"{decimal(found.unpublished_bytes)}."
    )


@app.command()
def rollback(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(help="Name, physical name or id.")],
    version: Annotated[
        UUID | None, typer.Argument(help="Default: the one that readers saw before.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show readers a former version of a table, until the next run publishes another."""
    with connect(ctx) as dalgo:
        name = table_name(table, dalgo.tables.list())
        if version is None:
            former = [one for one in dalgo.tables.versions(name) if not one.is_current]
            if not former:
                raise Failure(f"There is no former version of '{name}' any more.")
            version = former[0].version
        shown = dalgo.tables.rollback(name, version)
    if as_json:
        output.as_json(shown)
    else:
        typer.echo(f"Readers of '{shown.name}' see {output.some(shown.row_count or 0, 'row')}.")
