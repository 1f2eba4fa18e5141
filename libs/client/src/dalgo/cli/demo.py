"""`dalgo demo`: the main job, on a stack that runs or on one of its own."""

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dalgo.cli import output
from dalgo.cli.machine import local_stack, report
from dalgo.cli.options import DataDir, Json, Options
from dalgo.client import Dalgo
from dalgo.demo import RESULT, DemoResult, run

_SHOWN = 12
_PATIENCE = 90.0
"""Seconds for which a service may be away in the middle of the demo."""


@dataclass(frozen=True)
class _Place:
    """Where the demo happens; `up` starts it again when it does not stay."""

    url: str
    stays: bool
    up: str = "dalgo up"


def demo(
    ctx: typer.Context,
    data_dir: DataDir = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave running what the demo has started.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the main job: two real files, two recipes, a pipeline, its run, the result."""
    options = ctx.find_object(Options) or Options()
    with _place(options.url, data_dir, keep=keep, quiet=as_json) as place:
        with Dalgo(place.url, patience=_PATIENCE) as dalgo:
            result = run(dalgo, output.console(err=as_json))
        if as_json:
            told = result.run.model_dump(mode="json")
            rows = list(result.page.rows)
            output.as_json({"url": place.url, "email": result.email, "run": told, "rows": rows})
        else:
            _show(result)
    if not as_json:
        _where_next(place, result)


@contextmanager
def _place(url: str | None, data_dir: Path | None, *, keep: bool, quiet: bool) -> Iterator[_Place]:
    """The server to use: the given one, the one that runs here, or one started for the demo."""
    if url is not None:
        yield _Place(url.rstrip("/"), stays=True)
        return
    here = local_stack(data_dir)
    found = here.status()
    if found.running and found.url:
        yield _Place(found.url, stays=True)
        return
    tell = _silent if quiet else report
    # A demo that is told to end, by whatever means, takes along what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = here.launch(tell)
    try:
        chosen = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
        yield _Place(started, keep, f"dalgo up{chosen}")
    finally:
        if not keep:
            here.down(tell)


def _show(result: DemoResult) -> None:
    names = result.page.columns
    rows = [[_readable(name, row.get(name)) for name in names] for row in result.page.rows]
    console = output.console()
    console.print(Text(f"\nThe first {_SHOWN} of {len(rows)} rows of '{RESULT}':"))
    output.table(names, rows[:_SHOWN])
    console.print()


def _where_next(place: _Place, result: DemoResult) -> None:
    login = f"DALGO_PASSWORD={result.password} dalgo --url {place.url} login"
    lines = [
        "Where to look next:",
        *([] if place.stays else [f"  {place.up}    starts it again; the demo's data is there"]),
        f"  {place.url}/docs    the interface, to try out",
        f"  {login} --email {result.email}",
        f"  dalgo tables ls; dalgo tables head {RESULT}; dalgo recipe sql {RESULT}",
        "  dalgo runs ls; dalgo pipelines run regions --follow    (nothing changed: nothing to do)",
    ]
    output.console().print(Text("\n".join(lines)), soft_wrap=True)


def _readable(column: str, value: object) -> object:
    """Numbers rounded for the eye; wide ones arrive as text (see the interface's conventions)."""
    if column == "year" or isinstance(value, bool) or value is None:
        return value
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return value
    return f"{number:,.1f}" if abs(number) < 1000 else f"{number:,.0f}"


def _silent(_what: str, _seconds: float) -> None:
    """For --json, which is alone on the output."""
