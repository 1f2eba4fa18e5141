"""`dalgo backup` and `dalgo restore`: all that an installation is, in one file."""

from pathlib import Path
from typing import Annotated

import typer

from dalgo.cli.machine import local_stack, report
from dalgo.cli.options import DataDir

File = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]


def backup(file: File, data_dir: DataDir = None) -> None:
    """Write database and files to FILE as of one moment, while everything runs. Keys are not in it."""
    local_stack(data_dir).backup(file, report)
    typer.echo(
        f"\n{file} holds everything but the keys. Keep ENCRYPTION_KEY and MASK_KEY (of `dalgo up`: in "
        "secrets.json) elsewhere: without them a backup cannot be restored."
    )


def restore(file: File, data_dir: DataDir = None) -> None:
    """Make the installation that FILE holds, in an empty database and beside an empty bus."""
    local_stack(data_dir).restore(file, report)
    typer.echo(
        "\nRestored. `dalgo up` starts it. Other systems that fill tables need a new login each: "
        "`dalgo sources loader SOURCE`."
    )
