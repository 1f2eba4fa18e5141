"""The `dalgo` command, put together."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dalgo.cli import (
    account,
    backups,
    demo,
    dlq,
    drain,
    external,
    kobo,
    machine,
    output,
    pipelines,
    recipes,
    runs,
    sheets,
    sources,
    tables,
    topology,
)
from dalgo.cli.options import Options
from dalgo.errors import DalgoError


class _Program(TyperGroup):
    """Turns errors into a line or two and exit status 1: no traceback for what a person can mend."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (DalgoError, output.Failure, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            output.fail(error)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
    help="Dalgo Lite: pull data in, shape it with recipes, run the whole as a pipeline.",
)


@app.callback()
def shared(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(envvar="DALGO_URL", help="The server (default: where you signed in last)."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="DALGO_API_KEY", help="Used instead of a session.", show_default=False),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(envvar="DALGO_PATIENCE", min=0, help="Seconds to wait for a server away."),
    ] = 10.0,
) -> None:
    """What stands before every command."""
    ctx.obj = Options(url, api_key, patience)


for command in (
    machine.up,
    machine.down,
    machine.status,
    machine.migrate,
    backups.backup,
    backups.restore,
    drain.drain,
    topology.topology,
    demo.demo,
):
    app.command(rich_help_panel="This machine")(command)
app.add_typer(dlq.app, name="dlq", rich_help_panel="This machine")
for command in (account.login, account.signup, account.logout, account.whoami):
    app.command(rich_help_panel="You")(command)
sources.app.command()(sheets.add_sheet)
sources.app.command()(sheets.sheets)
sources.app.command()(kobo.add_form)
sources.app.command()(kobo.forms)
for name, group in (
    ("sources", sources.app),
    ("recipe", recipes.app),
    ("pipelines", pipelines.app),
    ("runs", runs.app),
    ("tables", tables.app),
):
    app.add_typer(group, name=name, rich_help_panel="Your data")
app.command(rich_help_panel="Your data")(sources.sync)
for command in (external.add_external, external.loader, external.announce):
    sources.app.command()(command)


def main() -> None:
    """Run the command."""
    app(prog_name="dalgo")
