"""What `dalgo up` prints when it cannot start: one message, which names what to look at."""

import asyncio
import subprocess
import sys

import pytest

from stack.errors import StackError
from stack.layout import Layout
from stack.servers import Servers

from .staging import Told, make_stack


def _up(layout: Layout, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dalgo", "up", "--data-dir", str(layout.root)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout


def _only_error(output: str) -> str:
    """The one message, of output that holds nothing else but progress."""
    progress, _, error = output.partition("Error: ")
    assert all(line.lstrip()[0].isdigit() for line in progress.splitlines()), output
    assert "Traceback" not in output
    assert "Error: " not in error
    return error.strip()


def test_a_database_that_is_away_is_one_message_although_the_bus_was_being_prepared(
    layout: Layout, environ: dict[str, str]
):
    given = {"DATABASE_URL": "postgresql://someone:hidden@127.0.0.1:9/dalgo"}
    error = _only_error(_up(layout, environ | given))
    assert error.startswith("The database could not be prepared")
    assert "DATABASE_URL" in error
    assert "hidden" not in error


def test_a_bus_that_is_away_is_one_message_and_not_a_traceback_for_each_try(
    layout: Layout, environ: dict[str, str]
):
    with Servers.temporary(password="pw") as servers:
        given = {"NATS_URL": "nats://someone:hidden@127.0.0.1:9"}
        error = _only_error(_up(layout, environ | given | {"DATABASE_URL": servers.migrator_url}))
    assert error.startswith("The bus cannot be reached at nats://127.0.0.1:9: ")
    assert "NATS_URL" in error
    assert "hidden" not in error


async def test_a_service_that_does_not_start_shows_nothing_that_earlier_ones_have_written(
    layout: Layout, environ: dict[str, str]
):
    layout.make()
    layout.log("transform").write_text("Traceback of last week\n" * 5)
    stack = make_stack(layout, environ | {"FAIL": "transform"})
    with pytest.raises(StackError, match="SOMETHING is not set") as caught:
        await stack.start(Told())
    assert "last week" not in str(caught.value)


async def test_a_start_that_fails_leaves_no_error_of_another_part_behind(
    layout: Layout, environ: dict[str, str]
):
    unretrieved: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unretrieved.append(context["message"]))
    cut = asyncio.Event()

    async def fail(*_: object) -> None:
        raise RuntimeError("no such database")

    async def wait(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()
            raise RuntimeError("cut off in the middle")

    stack = make_stack(layout, environ, prepare_database=fail, prepare_bus=wait)
    with pytest.raises(StackError, match="no such database"):
        await stack.start(Told())
    assert cut.is_set()
    assert unretrieved == []
