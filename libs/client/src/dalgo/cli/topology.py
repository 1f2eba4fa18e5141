"""`dalgo topology`: streams and consumers on the bus; for the operator of the machine."""

from typing import Annotated

import typer

from dalgo.cli.machine import local_stack
from dalgo.cli.options import DataDir


def topology(
    print_nats: Annotated[
        bool,
        typer.Option("--print-nats", help="Only print users and rights for a NATS of your own."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make streams and consumers on the bus; those that are there stay as they are, with their messages."""
    here = local_stack(data_dir)
    if print_nats:
        typer.echo(here.nats_users())
        return
    warnings = here.topology()
    typer.echo("Streams and consumers are in place.")
    for warning in warnings:
        typer.echo(warning, err=True)
