"""`dalgo login`, `signup`, `logout`, `whoami`."""

from typing import Annotated

import typer

from dalgo.cli import output
from dalgo.cli.options import Json, anonymous, connect

Email = Annotated[str, typer.Option(prompt=True, help="The address you sign in with.")]
# Only asked for or in the environment: an argument would be seen in the process list.
Password = Annotated[
    str,
    typer.Option(
        prompt=True,
        hide_input=True,
        envvar="DALGO_PASSWORD",
        help="Better typed or in $DALGO_PASSWORD.",
    ),
]


def login(ctx: typer.Context, email: Email, password: Password, as_json: Json = False) -> None:
    """Sign in; the session is kept for the next commands and renews itself."""
    with anonymous(ctx) as dalgo:
        dalgo.login(email, password)
        _say(dalgo.url, dalgo.me().model_dump(mode="json"), as_json)


def signup(
    ctx: typer.Context,
    email: Email,
    organization: Annotated[str, typer.Option(prompt=True, help="Your organisation's name.")],
    password: Password,
    name: Annotated[str | None, typer.Option(help="Your own name.")] = None,
    as_json: Json = False,
) -> None:
    """Create a user and an organisation, and sign in."""
    with anonymous(ctx) as dalgo:
        dalgo.signup(email, password, organization, name)
        _say(dalgo.url, dalgo.me().model_dump(mode="json"), as_json)


def logout(ctx: typer.Context) -> None:
    """End the session, here and at the server."""
    with connect(ctx) as dalgo:
        dalgo.logout()
        typer.echo(f"Signed out of {dalgo.url}.")


def whoami(ctx: typer.Context, as_json: Json = False) -> None:
    """Who is signed in, and where."""
    with connect(ctx) as dalgo:
        _say(dalgo.url, dalgo.me().model_dump(mode="json"), as_json)


def _say(url: str, me: dict[str, dict[str, str]], as_json: bool) -> None:
    if as_json:
        output.as_json({"url": url, **me})
    else:
        typer.echo(
            f"Signed in to {url} as {me['user']['email']}, "
            f"{me['role']} of {me['organization']['name']}."
        )
