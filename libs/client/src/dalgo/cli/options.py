"""Options that many commands share, and the client that follows from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dalgo.cli.credentials import Credentials
from dalgo.cli.output import Failure
from dalgo.client import Dalgo
from dalgo.session import Session

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Stay, and show each step as it ends.")
]
Force = Annotated[bool, typer.Option("--force", help="Load and build what has not changed, too.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where everything lies (default: $DALGO_DATA_DIR, else the user's own).",
        file_okay=False,
    ),
]

FALLBACK = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Options:
    """What stands before the command: `dalgo --url ... COMMAND`."""

    url: str | None = None
    api_key: str | None = None
    patience: float = 10.0


def connect(ctx: typer.Context) -> Dalgo:
    """The client for the chosen server, signed in as the kept session or by the key."""
    options = ctx.find_object(Options) or Options()
    credentials = Credentials.load()
    url = server_url(options, credentials)
    if options.api_key:
        return Dalgo(url, options.api_key, patience=options.patience)
    return Dalgo(url, session=credentials.session(url), patience=options.patience)


def server_url(options: Options, credentials: Credentials) -> str:
    """`--url` or DALGO_URL, else where one signed in last, else this machine's own stack."""
    url = (options.url or credentials.default or _local_url() or FALLBACK).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise Failure(f"'{url}' is not an address: write it out, as in {FALLBACK}.")
    return url


def anonymous(ctx: typer.Context) -> Dalgo:
    """The client for the chosen server, to sign in with: what it gets is kept."""
    options = ctx.find_object(Options) or Options()
    credentials = Credentials.load()
    url = server_url(options, credentials)
    session = Session(on_change=lambda session: credentials.keep(url, session))
    return Dalgo(url, session=session, patience=options.patience)


def _local_url() -> str | None:
    try:
        from stack.layout import Layout
        from stack.state import read_state
    except ImportError:
        return None
    return read_state(Layout.default()).url
