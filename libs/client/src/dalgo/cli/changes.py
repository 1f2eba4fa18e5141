"""`dalgo sources changes|accept|reject`: what changed in a source's tables, and what becomes of it."""

from itertools import islice
from typing import Annotated

import typer

from contracts.drift import SchemaChange
from dalgo.cli import output
from dalgo.cli.follow import start_or_follow
from dalgo.cli.naming import find
from dalgo.cli.options import Follow, Json, connect
from dalgo.client import Dalgo
from dalgo.models import Source

Name = Annotated[str, typer.Argument(metavar="SOURCE", help="Name or id.")]
Numbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="[NUMBER]...", min=1, help="Without one: the one that waits."),
]


def changes(
    ctx: typer.Context,
    source: Name,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the newest changes of a source's columns and rows."""
    with connect(ctx) as dalgo:
        found = list(islice(dalgo.sources.changes(_named(dalgo, source).id), limit))
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("number", "status", "change", "used by", "first seen", "last seen"),
        [
            (c.number, c.status, "; ".join(lines(c)), users(c), c.first_seen, c.last_seen)
            for c in found
        ],
    )


def accept(
    ctx: typer.Context,
    source: Name,
    numbers: Numbers = None,
    sync: Annotated[bool, typer.Option("--sync", help="Load the source now.")] = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Let held changes through at the next sync."""
    with connect(ctx) as dalgo:
        found = _named(dalgo, source)
        decided = [
            dalgo.sources.accept_change(found.id, number)
            for number in _numbers(dalgo, found, numbers)
        ]
        if not (sync or follow):
            _say(found, decided, "accepted", "The next sync publishes it.", as_json=as_json)
            return
        if not as_json:
            _say(found, decided, "accepted", "")
        start_or_follow(dalgo, dalgo.sources.sync(found.id), stay=follow, as_json=as_json)


def reject(
    ctx: typer.Context, source: Name, numbers: Numbers = None, as_json: Json = False
) -> None:
    """Keep the last good data until the source says something else."""
    with connect(ctx) as dalgo:
        found = _named(dalgo, source)
        decided = [
            dalgo.sources.reject_change(found.id, number)
            for number in _numbers(dalgo, found, numbers)
        ]
    _say(found, decided, "rejected", "The last good data stays.", as_json=as_json)


def lines(change: SchemaChange) -> list[str]:
    """A change in words, one piece for each column."""
    renamed = {pair.old: pair.new for pair in change.renames}
    said = [
        f"- {column.name}"
        + (f" (renamed to {renamed[column.name]}?)" if column.name in renamed else "")
        for column in change.removed
    ]
    said += [f"~ {one.name}: {one.old} -> {one.new}" for one in change.retyped]
    said += [f"+ {column.name}: {column.type}" for column in change.added]
    if change.old_rows is not None:
        said.append(f"{change.new_rows or 0:,} of {output.some(change.old_rows, 'row')} left")
    return [f"{change.table_name}: {text}" if change.table_name else text for text in said]


def users(change: SchemaChange) -> list[str]:
    """Names of the recipes and pipelines that a change hurts."""
    return [*(user.name for user in change.used_by), *change.pipelines]


def _named(dalgo: Dalgo, text: str) -> Source:
    return find("source", text, dalgo.sources.get, dalgo.sources.list)


def _numbers(dalgo: Dalgo, source: Source, given: list[int] | None) -> list[int]:
    """The numbers given, else that of the one change that waits; raises Failure otherwise."""
    if given:
        return given
    waiting = [c.number for c in dalgo.sources.changes(source.id) if c.status == "pending"]
    if not waiting:
        raise output.Failure(f"No change of '{source.name}' waits for a decision.")
    if len(waiting) > 1:
        listed = ", ".join(map(str, sorted(waiting)))
        raise output.Failure(
            f"{len(waiting)} changes of '{source.name}' wait ({listed}): name one."
        )
    return waiting


def _say(
    source: Source,
    decided: list[SchemaChange],
    word: str,
    outlook: str,
    *,
    as_json: bool = False,
) -> None:
    if as_json:
        output.as_json(decided)
        return
    for change in decided:
        typer.echo(
            f"Change {change.number} of '{source.name}' is {word}: {'; '.join(lines(change))}"
        )
    if outlook:
        typer.echo(outlook)
