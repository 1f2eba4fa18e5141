"""`dalgo sources sheets` and `dalgo sources add-sheet`: Google Sheets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dalgo.cli import output
from dalgo.cli.options import Json, connect
from dalgo.cli.sources import tell_made

Spreadsheet = Annotated[
    str, typer.Argument(help="The address of the open sheet, in quotes, or the id in it.")
]
Credentials = Annotated[
    Path | None,
    typer.Option(
        help="The JSON key of a service account (default: the server's own).",
        exists=True,
        dir_okay=False,
    ),
]


def sheets(
    ctx: typer.Context,
    spreadsheet: Spreadsheet,
    credentials: Credentials = None,
    as_json: Json = False,
) -> None:
    """List the tabs of a Google Sheet."""
    with connect(ctx) as dalgo:
        found = dalgo.sources.sheets(spreadsheet, credentials=_key(credentials))
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("tab", "rows", "columns", "hidden", "id"),
        [(one.title, one.rows, one.columns, one.hidden, one.sheet_id) for one in found],
    )


def add_sheet(
    ctx: typer.Context,
    spreadsheet: Spreadsheet,
    tab: Annotated[
        str | None, typer.Option(help="Default: the one in the address, else the first.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Default: the tab's name.")] = None,
    credentials: Credentials = None,
    text: Annotated[bool, typer.Option("--text", help="Keep every column as text.")] = False,
    as_json: Json = False,
) -> None:
    """Make a tab of a Google Sheet a source; `dalgo sync` then loads it."""
    key = _key(credentials)
    config: dict[str, Any] = {"spreadsheet": spreadsheet}
    config |= {"credentials": key} if key else {}
    config |= {"sheet_name": tab} if tab else {}
    config |= {"types": "text"} if text else {}
    with connect(ctx) as dalgo:
        name = name or tab
        if name is None:
            found = dalgo.sources.sheets(spreadsheet, credentials=key)
            chosen = next((one for one in found if one.chosen), None)
            # Without one, the server says what is wrong with the address.
            name = chosen.title if chosen else spreadsheet[:100]
            config |= {"sheet_id": chosen.sheet_id} if chosen else {}
        source = dalgo.sources.create(name, config, source_type="google_sheets")
    tell_made(source, as_json=as_json)


def _key(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8")
