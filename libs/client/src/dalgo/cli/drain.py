"""`dalgo drain`: no run starts any more, what runs goes on; for the operator of the machine."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalgo.cli import output
from dalgo.cli.machine import UNDO, local_stack, with_data_dir
from dalgo.cli.options import DataDir, Json

if TYPE_CHECKING:
    from stack.operator import Standing

_LOOK = 0.5
"""Seconds between two looks at what still runs."""


def drain(
    undo: Annotated[bool, typer.Option("--undo", help="Let runs start again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when no run runs any more.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, help="With --wait: seconds after which to exit with 1."),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let no run start: what runs goes on to its end, all else stays queued, until --undo."""
    if (undo and wait) or (timeout is not None and not wait):
        raise typer.BadParameter("--timeout goes with --wait, and --undo with neither.")
    here = local_stack(data_dir)
    if undo:
        _say(here.operate(lambda operator: operator.end_drain()), data_dir, as_json=as_json)
        return
    standing = here.operate(lambda operator: operator.drain())
    if wait:
        until = None if timeout is None else time.monotonic() + timeout
        if standing.running:
            output.console(err=True).print(
                f"Waiting for {output.some(standing.running, 'run')} to end. Ctrl-C stops the "
                "waiting, not the drain.",
                style="dim",
            )
        while standing.running and standing.drained_since and not _is_over(until):
            time.sleep(_LOOK)
            standing, _ = here.operate(lambda operator: operator.standing())
        if standing.drained_since is None:
            raise output.Failure("The drain was undone meanwhile.")
    _say(standing, data_dir, as_json=as_json)
    if wait and standing.running:
        raise typer.Exit(1)


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _say(standing: "Standing", data_dir: Path | None, *, as_json: bool) -> None:
    if as_json:
        output.as_json(standing)
        return
    counts = f"{output.some(standing.running, 'run')} under way, {standing.queued:,} queued."
    if standing.drained_since:
        typer.echo(f"Drained since {output.cell(standing.drained_since)}: no run starts. {counts}")
        typer.echo(f"Undo it: {with_data_dir(UNDO, data_dir)}")
    else:
        typer.echo(f"Not drained: runs start. {counts}")
