"""What the command prints: plain tables, or JSON with --json; errors in a line or two."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.problem import Problem
from contracts.transform import PreviewPage, TableProfile
from dalgo.errors import DalgoError

_PIPED_WIDTH = 400
"""Columns where no terminal says how wide it is: rows must not be folded for grep."""


class Failure(Exception):
    """The command cannot go on; the message is for the person at the terminal."""


def console(*, err: bool = False) -> Console:
    """The terminal, or the pipe in its place."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=err)


def as_json(value: BaseModel | Iterable[BaseModel] | dict[str, Any]) -> None:
    """Print a model, or models as an array."""
    plain: object
    if isinstance(value, BaseModel):
        plain = value.model_dump(mode="json", by_alias=True)
    elif isinstance(value, dict):
        plain = value
    else:
        plain = [each.model_dump(mode="json", by_alias=True) for each in value]
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headers; numbers stand right, what is absent is a dash."""
    kept = [tuple(row) for row in rows]
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        is_number = any(_is_number(row[index]) for row in kept)
        shown.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in kept:
        # Text, not markup: a cell may hold brackets.
        shown.add_row(*(Text(cell(value)) for value in row))
    out = console()
    with out.capture() as printed:
        out.print(shown)
    for line in printed.get().splitlines():
        typer.echo(line.rstrip())


def page(preview: PreviewPage) -> None:
    """Print a page of rows, and how many there are in all."""
    table(preview.columns, [[row.get(name) for name in preview.columns] for row in preview.rows])
    if preview.total_count is not None:
        console(err=True).print(
            f"{len(preview.rows):,} of {preview.total_count:,} rows", style="dim"
        )


def profile(found: TableProfile) -> None:
    """Print a line for each column, and how many of the rows were read."""
    table(
        ("column", "type", "empty", "distinct", "least", "greatest", "mean", "most frequent"),
        [
            (
                column.name,
                column.type,
                count(column.nulls),
                count(column.distinct),
                column.min,
                column.max,
                None if column.mean is None else f"{column.mean:,.4g}",
                [f"{cell(top.value)} ({top.count:,})" for top in column.top[:3]],
            )
            for column in found.columns
        ],
    )
    of = f" of {found.total_rows:,}" if found.sampled else ""
    console(err=True).print(f"{found.rows_read:,}{of} rows read", style="dim")


def from_json(option: str, text: str) -> dict[str, Any]:
    """The JSON object that an option holds; raises Failure with the place where it is none."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"{option} is not JSON: {error.msg} at character {error.pos}.") from error
    if not isinstance(value, dict):
        raise Failure(f"{option} is not a JSON object.")
    return value


def cell(value: object) -> str:
    """One value as people read it; times in the zone of this machine."""
    if value is None or value in ("", (), []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return str(value)


def count(number: int | None) -> str | None:
    """A count with thousands separated."""
    return None if number is None else f"{number:,}"


def some(number: int, noun: str) -> str:
    """A count of things: `1 step`, `2 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def fail(error: DalgoError | Failure | OSError) -> None:
    """Print why the command failed: what it is, and at which fields or steps."""
    out = console(err=True)
    if isinstance(error, OSError):
        out.print(Text(f"Error: {error.filename or ''}: {error.strerror or error}"), style="red")
        return
    if isinstance(error, DalgoError) and error.code == "invalid_recipe":
        # Each step says why, the first one too.
        told = error.problem.model_copy(update={"detail": "The recipe does not fit."})
        error = DalgoError(told)
    out.print(Text(f"Error: {error}"), style="red")
    if isinstance(error, DalgoError):
        for line in field_lines(error.problem):
            out.print(Text(f"  {line}"))
        seconds = error.problem.retry_after
        if seconds is not None and f"in {seconds} s" not in str(error):
            out.print(f"Try again in {seconds} s.")
        if error.status == 401 and error.code != "wrong_credentials":
            out.print("Sign in: dalgo login (new here: dalgo signup)")


def field_lines(problem: Problem) -> list[str]:
    """A line for each field or step of a problem that says more than its detail."""
    lines: list[str] = []
    for each in problem.errors:
        if each.message in problem.detail:
            continue
        step = f"step {each.step}" if each.step is not None else ""
        lines.append(f"{', '.join(filter(None, (step, each.field)))}: {each.message}")
    return lines


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value.replace(",", "").removeprefix("-").replace(".", "", 1).isdecimal()
    return isinstance(value, int | float) and not isinstance(value, bool)
