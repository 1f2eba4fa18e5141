"""`dalgo sources ...` and `dalgo sync`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from contracts.ingest import Upload, UploadMode
from dalgo.cli import changes, output
from dalgo.cli.follow import start_or_follow
from dalgo.cli.naming import find
from dalgo.cli.options import Follow, Force, Json, connect
from dalgo.client import Dalgo
from dalgo.models import Source

app = typer.Typer(no_args_is_help=True, help="Where data comes from.")

Name = Annotated[str, typer.Argument(metavar="SOURCE", help="Name or id.")]


@app.command()
def add(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="A CSV, TSV or other delimited text.", exists=True, dir_okay=False),
    ],
    name: Annotated[str | None, typer.Option(help="Default: the file's name.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Default: found out.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Default: found out.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Keep every column as text.")] = False,
    mode: Annotated[
        UploadMode | None,
        typer.Option(help="What further files do with the rows before. Default: replace."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="A column that tells rows apart, for upsert; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Upload a file and make it a source; `dalgo sync` then loads it."""
    with connect(ctx) as dalgo:
        upload = send(dalgo, file, quiet=as_json)
        config: dict[str, Any] = {"upload_id": upload.upload_id}
        config |= {"delimiter": delimiter} if delimiter else {}
        config |= {"encoding": encoding} if encoding else {}
        config |= {"types": "text"} if text else {}
        config |= {"mode": mode} if mode else {}
        config |= {"key": key} if key else {}
        source = dalgo.sources.create(name or file.stem, config)
    tell_made(source, as_json=as_json)


@app.command()
def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the sources."""
    with connect(ctx) as dalgo:
        sources = list(dalgo.sources.list())
    if as_json:
        output.as_json(sources)
        return
    output.table(
        ("name", "type", "rows", "columns", "last synced", "id"),
        [
            (
                s.name,
                s.source_type,
                output.count(s.row_count),
                s.column_count,
                s.last_synced_at,
                s.id,
            )
            for s in sources
        ],
    )


@app.command()
def show(ctx: typer.Context, source: Name, as_json: Json = False) -> None:
    """Show a source and its columns."""
    with connect(ctx) as dalgo:
        found = named(dalgo, source)
    if as_json:
        output.as_json(found)
        return
    typer.echo(
        f"{found.name} ({found.source_type}, {found.status}), id {found.id}\n"
        f"rows {output.cell(output.count(found.row_count))}, "
        f"last synced {output.cell(found.last_synced_at)}"
    )
    if found.last_error:
        typer.echo(f"last error: {found.last_error}")
    if found.pending_changes:
        waiting = output.some(found.pending_changes, "change")
        typer.echo(f"{waiting} held: see dalgo sources changes '{found.name}'")
    output.table(
        ("column", "physical name", "type"),
        [(column.name, column.physical, column.type) for column in found.columns],
    )
    _warn(found)


@app.command()
def rejects(
    ctx: typer.Context,
    source: Name,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of them into a file.")
    ] = None,
    raw: Annotated[
        bool,
        typer.Option(help="In the file, leave cells that a spreadsheet would run as they are."),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500)] = 20,
    as_json: Json = False,
) -> None:
    """Show the records that the last load set aside, with their lines in the file."""
    with connect(ctx) as dalgo:
        found = named(dalgo, source)
        aside = dalgo.sources.rejects(found.id, limit=limit)
        if csv is not None:
            csv.write_bytes(dalgo.sources.rejects_csv(found.id, raw=raw))
    if as_json:
        output.as_json(aside)
        return
    if not aside.total:
        typer.echo(f"The last load of '{found.name}' set no record aside.")
    elif csv is None:
        output.table(
            ("file", "line", "reason", "text"),
            [(one.file, one.line, one.reason, one.text) for one in aside.rejects],
        )
        if aside.total > len(aside.rejects):
            typer.echo(f"{output.some(aside.total, 'record')} in all; --csv FILE has them.")
    if csv is not None:
        typer.echo(f"{csv} has {output.some(aside.total, 'record')}.")


@app.command()
def upload(
    ctx: typer.Context,
    source: Name,
    file: Annotated[Path, typer.Argument(help="A further file.", exists=True, dir_okay=False)],
    then_sync: Annotated[bool, typer.Option("--sync", help="Load it, and wait for it.")] = False,
    as_json: Json = False,
) -> None:
    """Give a source a further file; the source's mode says whether rows are replaced or added."""
    with connect(ctx) as dalgo:
        found = named(dalgo, source)
        sent = send(dalgo, file, quiet=as_json)
        found = dalgo.sources.add_upload(found.id, sent.upload_id)
        if then_sync:
            _warn(found)
            start_or_follow(dalgo, dalgo.sources.sync(found.id), stay=True, as_json=as_json)
            return
    if as_json:
        output.as_json(found)
        return
    typer.echo(f"'{found.name}' has the file {sent.filename}. Load it: dalgo sync '{found.name}'")
    _warn(found)


@app.command()
def rm(ctx: typer.Context, source: Name) -> None:
    """Delete a source and its table; refused while something uses it."""
    with connect(ctx) as dalgo:
        found = named(dalgo, source)
        dalgo.sources.delete(found.id)
    typer.echo(f"Deleted source '{found.name}'.")


for command in (changes.changes, changes.accept, changes.reject):
    app.command()(command)


def sync(
    ctx: typer.Context,
    source: Name,
    follow: Follow = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Load a source's data anew."""
    with connect(ctx) as dalgo:
        run = dalgo.sources.sync(named(dalgo, source).id, force=force)
        start_or_follow(dalgo, run, stay=follow, as_json=as_json)


def tell_made(source: Source, *, as_json: bool) -> None:
    """Show a source that was made, with what a person should know of it."""
    if as_json:
        output.as_json(source)
        return
    columns = output.some(source.column_count or 0, "column")
    typer.echo(f"Source '{source.name}' has {columns} ({source.id}).")
    for table in source.other_tables:
        typer.echo(f"It fills '{source.name} / {table.name}' too.")
    _warn(source)


def named(dalgo: Dalgo, text: str) -> Source:
    """The source of this name or id."""
    return find("source", text, dalgo.sources.get, dalgo.sources.list)


def send(dalgo: Dalgo, file: Path, *, quiet: bool = False) -> Upload:
    """Upload a file behind a progress bar, which only a terminal shows."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    console = output.console(err=True)
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)

        def progress(sent: int, size: int) -> None:
            bar.update(task, completed=sent, total=size)

        return dalgo.uploads.create(file, progress)


def _warn(source: Source) -> None:
    for warning in source.warnings:
        typer.echo(f"note: {warning.message}", err=True)
