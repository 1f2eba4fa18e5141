"""`dalgo recipe versions|diff|restore`: what was saved before, and the way back."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated

import typer

from contracts.transform import RecipeVersion
from dalgo.cli import output
from dalgo.cli.naming import recipe_named
from dalgo.cli.options import Json, connect
from recipe.diff import StepChange

Saved = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a saved recipe.")]
Number = Annotated[int, typer.Argument(metavar="VERSION", min=1)]

_NOT_SAID = frozenset({"type", "id", "note", "enabled"})
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow", "moved": "cyan"}


def versions(
    ctx: typer.Context,
    name: Saved,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """List the newest versions of a saved recipe."""
    with connect(ctx) as dalgo:
        found = dalgo.transformations.versions(recipe_named(dalgo, name).id, limit=min(limit, 100))
        kept = list(islice(found, limit))
    if as_json:
        output.as_json(kept)
        return
    output.table(
        ("version", "saved", "by", "steps", "note"),
        [(v.version, v.saved_at, v.saved_by, v.step_count, _note(v)) for v in kept],
    )


def diff(
    ctx: typer.Context,
    name: Saved,
    version: Annotated[
        int | None, typer.Argument(min=1, help="A version; without one, the newest.")
    ] = None,
    other: Annotated[
        int | None,
        typer.Option("--with", min=1, help="The version to compare with, else the one before."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a version changed."""
    with connect(ctx) as dalgo:
        saved = recipe_named(dalgo, name)
        found = dalgo.transformations.diff(saved.id, version or saved.version, with_version=other)
    if as_json:
        output.as_json(found)
    elif found.version == found.with_version:
        typer.echo(f"Version {found.version} of '{saved.name}' is the first.")
    elif not found.steps:
        typer.echo(
            f"Version {found.version} of '{saved.name}' says what {found.with_version} says."
        )
    else:
        typer.echo(
            f"Version {found.version} of '{saved.name}', compared with {found.with_version}:"
        )
        for change in found.steps:
            for line in _lines(change):
                typer.secho(line, fg=_COLOURS[change.kind])


def restore(ctx: typer.Context, name: Saved, version: Number, as_json: Json = False) -> None:
    """Save an old version as a new one; exits 1 and says why when it does not fit any more."""
    with connect(ctx) as dalgo:
        before = recipe_named(dalgo, name)
        saved = dalgo.transformations.restore(before.id, version)
    if as_json:
        output.as_json(saved)
    elif saved.version == before.version:
        typer.echo(f"Version {saved.version} of '{saved.name}' says what {version} says already.")
    else:
        typer.echo(f"Version {version} of '{saved.name}' is back, as version {saved.version}.")


def said(step: Mapping[str, object]) -> str:
    """A step in a line: its fields without type, id and note."""
    return ", ".join(f"{name} {short(step[name])}" for name in step if name not in _NOT_SAID)


def short(value: object) -> str:
    """A value in a line: text as it is where that is clear, all else as JSON."""
    if value is None:
        return "(not set)"
    if isinstance(value, str) and value.strip() == value and value.isprintable() and value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _note(version: RecipeVersion) -> str | None:
    notes = ["current"] if version.is_current else []
    if version.restored_from:
        notes.append(f"version {version.restored_from} again")
    return ", ".join(notes) or None


def _lines(change: StepChange) -> Iterator[str]:
    sign = _SIGNS[change.kind]
    if change.new_step is None:
        yield f"{sign} step {change.old_step} {change.type}: {said(change.old or {})}"
    elif change.old_step is None:
        yield f"{sign} step {change.new_step} {change.type}: {said(change.new or {})}"
    else:
        moved = f" (was {change.old_step})" if change.old_step != change.new_step else ""
        yield f"{sign} step {change.new_step}{moved} {change.type}"
        for field in change.fields:
            yield f"    {field.field}: {short(field.old)} -> {short(field.new)}"
