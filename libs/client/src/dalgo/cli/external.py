"""`dalgo sources add-external`, `loader` and `announce`: tables that other systems fill."""

import re
from typing import Annotated, Any

import typer

from dalgo.cli import output
from dalgo.cli.options import Json, connect
from dalgo.cli.sources import Name, named

_SHORT = re.compile(r"(\d+)([mhd])")

Table = Annotated[str, typer.Argument(metavar="TABLE", help="Its name in the landing schema.")]


def add_external(
    ctx: typer.Context,
    table: Table,
    name: Annotated[str | None, typer.Option(help="Default: the table's name.")] = None,
    deadline: Annotated[
        str | None, typer.Option(help="How long a run waits: 30m, 2h, 1d. Default: 1h.")
    ] = None,
    use_last: Annotated[
        bool, typer.Option("--use-last", help="Then use the version before, rather than fail.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a source of a table that another system fills; `loader` lets that system in."""
    config: dict[str, Any] = {"table": table}
    config |= {"deadline": _duration(deadline)} if deadline else {}
    config |= {"on_missing": "use_last"} if use_last else {}
    with connect(ctx) as dalgo:
        source = dalgo.sources.create(name or table, config, source_type="external")
    if as_json:
        output.as_json(source)
        return
    typer.echo(f"Source '{source.name}' waits for the table '{table}' ({source.id}).")


def loader(
    ctx: typer.Context,
    source: Name,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Shut the login; its table stays.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a new login for the system that fills a source, once; the one before ends."""
    with connect(ctx) as dalgo:
        found = named(dalgo, source)
        if revoke:
            dalgo.sources.revoke_loader(found.id)
            typer.echo(f"The login of '{found.name}' is shut.")
            return
        login = dalgo.sources.issue_loader(found.id)
    if as_json:
        output.as_json(login)
        return
    # Not a table: a narrow terminal would cut what is to be copied.
    typer.echo(
        f"host:     {login.host}\n"
        f"port:     {login.port}\n"
        f"database: {login.database}\n"
        f"username: {login.username}\n"
        f"password: {login.password}\n"
        f"table:    {login.schema_name}.{login.table}"
    )
    typer.echo("note: the password is not shown again.", err=True)


def announce(
    ctx: typer.Context,
    table: Table,
    rows: Annotated[
        int | None, typer.Option(min=0, help="How many must be found there. Default: any number.")
    ] = None,
) -> None:
    """Tell that a table is ready, in the place of the system that fills it."""
    with connect(ctx) as dalgo:
        dalgo.sources.announce(table, rows)
    typer.echo(f"Announced '{table}'.")


def _duration(text: str) -> str:
    """ISO 8601 of `30m`, `2h`, `1d`; anything else as it is, for the server to judge."""
    found = _SHORT.fullmatch(text.strip())
    if found is None:
        return text
    number, unit = found.groups()
    return f"P{number}D" if unit == "d" else f"PT{number}{unit.upper()}"
