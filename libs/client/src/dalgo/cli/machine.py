"""`dalgo up`, `down` and `status`: Dalgo on this machine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalgo.cli import output
from dalgo.cli.options import DataDir, Json
from dalgo.errors import DalgoError

if TYPE_CHECKING:
    from dalgo.local import LocalStack
    from stack.operator import Standing

UNDO = "dalgo drain --undo"

Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Of the URL (default: the one it had last, else 8000)."),
]


def up(
    data_dir: DataDir = None,
    port: Port = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it is ready; `dalgo down` stops it.")
    ] = False,
) -> None:
    """Start PostgreSQL, NATS and the services here, and keep them up until Ctrl-C."""
    here = local_stack(data_dir)
    if detach:
        _announce(
            here, here.launch(report, port=port), with_data_dir("dalgo down", data_dir), data_dir
        )
        return

    async def on_ready(url: str) -> None:
        stop = f"Ctrl-C, or {with_data_dir('dalgo down', data_dir)}"
        await asyncio.to_thread(_announce, here, url, stop, data_dir)

    here.up(report, port=port, on_ready=on_ready)


def down(data_dir: DataDir = None) -> None:
    """Stop everything that `dalgo up` has started; the data stays."""
    local_stack(data_dir).down(report)


def status(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show what runs here; exits 1 when it is not ready."""
    here = local_stack(data_dir)
    found = here.status()
    standing = _standing(here) if found.running else None
    if as_json:
        parts = [vars(part) for part in found.parts]
        shown = {"running": found.running, "ready": found.ready, "url": found.url, "parts": parts}
        runs, letters = standing or (None, None)
        shown |= {"runs": runs and runs.model_dump(mode="json"), "dead_letters": letters}
        output.as_json(shown)
    else:
        if found.running:
            typer.echo(f"{'Ready' if found.ready else 'Not ready yet'} at {found.url}")
        else:
            typer.echo("Dalgo Lite does not run here. `dalgo up` starts it.")
        if found.parts:
            output.table(
                ("process", "ready", "port", "metrics", "pid", "memory MB"),
                [
                    (p.name, p.ready, p.port, p.metrics_port, p.pid, p.memory_mb)
                    for p in found.parts
                ],
            )
        for part in found.parts:
            if part.lacks:
                typer.echo(f"{part.name} is not ready: {part.lacks}")
        for line in _needs_attention(standing, data_dir):
            typer.echo(line)
    if not found.ready:
        raise typer.Exit(1)


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to this version: schemas and logins. May be repeated.

    The database is that of SUPABASE_DB_URL or DATABASE_URL (DATABASE_DIRECT_URL if there is one), else
    this machine's own; the services' passwords are DATABASE_PASSWORD_AUTH, _INGEST, _TRANSFORM and
    _ORCHESTRATOR, else those of `dalgo up`.
    """
    local_stack(data_dir).migrate(report)


def local_stack(data_dir: Path | None) -> "LocalStack":
    """The stack of a data directory; raises Failure when only the client is installed."""
    try:
        from dalgo.local import LocalStack
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "stack":
            raise
        raise output.Failure(
            "Only the client is installed here, not the servers. In a clone of the repository "
            "`uv sync` installs them; for a server elsewhere give --url or set DALGO_URL."
        ) from error
    return LocalStack(data_dir)


def report(what: str, seconds: float) -> None:
    """Print what has been done, and how long it took."""
    typer.echo(f"{seconds:7.2f} s  {what}")


def _announce(here: "LocalStack", url: str, stop: str, data_dir: Path | None) -> None:
    typer.echo(f"\nDalgo Lite is ready at {url} (its interface: {url}/docs)")
    typer.echo(f"Stop it: {stop}")
    for line in _needs_attention(_standing(here), data_dir):
        typer.echo(line)


def _standing(here: "LocalStack") -> "tuple[Standing, int] | None":
    """How runs and dead letters stand; None while the database does not say."""
    try:
        return here.operate(lambda operator: operator.standing())
    except DalgoError:
        return None


def _needs_attention(found: "tuple[Standing, int] | None", data_dir: Path | None) -> Iterator[str]:
    """What an operator should know, with the way out."""
    if found is None:
        return
    standing, letters = found
    if standing.drained_since:
        since = output.cell(standing.drained_since)
        yield f"It is drained since {since}: no run starts. Undo it: {with_data_dir(UNDO, data_dir)}"
    if letters:
        listing = with_data_dir("dalgo dlq list", data_dir)
        yield f"{output.some(letters, 'message')} could not be handled: {listing}"


def with_data_dir(command: str, data_dir: Path | None) -> str:
    """The command to type for the same data directory."""
    return command + (f" --data-dir {data_dir}" if data_dir else "")
