"""`dalgo sources forms` and `dalgo sources add-form`: forms of a KoboToolbox server."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from dalgo.cli import output
from dalgo.cli.options import Json, connect
from dalgo.cli.sources import tell_made

ServerUrl = Annotated[
    str, typer.Argument(help="Where you see your forms, as in https://kf.kobotoolbox.org.")
]
# No option that takes the token itself: an argument would be seen in the process list.
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="A file that holds the API token (default: $KOBO_TOKEN, else it is asked for).",
        exists=True,
        dir_okay=False,
    ),
]


def forms(
    ctx: typer.Context, server_url: ServerUrl, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """List the forms that an API token may read."""
    token = _token(token_file)
    with connect(ctx) as dalgo:
        found = dalgo.sources.forms(server_url, token)
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("form", "submissions", "name"), [(one.form_id, one.submissions, one.name) for one in found]
    )


def add_form(
    ctx: typer.Context,
    server_url: ServerUrl,
    form_id: Annotated[str, typer.Argument(help="As `dalgo sources forms` lists it.")],
    name: Annotated[str | None, typer.Option(help="Default: the form's name.")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Questions and choices by their labels, not codes.")
    ] = False,
    language: Annotated[
        str | None, typer.Option(help="Of the labels. Default: the form's first.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Take new submissions only, no edits or deletions.")
    ] = False,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Make a form a source, its repeats tables of their own; `dalgo sync` then loads it."""
    token = _token(token_file)
    config: dict[str, Any] = {"server_url": server_url, "form_id": form_id, "api_token": token}
    config |= {"values": "labels"} if labels else {}
    config |= {"language": language} if language else {}
    config |= {"mode": "append"} if append else {}
    with connect(ctx) as dalgo:
        if name is None:
            known = {one.form_id: one.name for one in dalgo.sources.forms(server_url, token)}
            name = known.get(form_id, form_id)
        source = dalgo.sources.create(name, config, source_type="kobo")
    tell_made(source, as_json=as_json)


def _token(file: Path | None) -> str:
    """The API token out of a file, the environment or an answer that is not shown."""
    token = file.read_text(encoding="utf-8") if file else os.environ.get("KOBO_TOKEN", "")
    return token.strip() or typer.prompt("API token", hide_input=True).strip()
