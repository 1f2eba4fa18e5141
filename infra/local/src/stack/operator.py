"""What an operator does to a stack that runs: look after dead letters, drain."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from stack.access import database, jetstream
from stack.layout import Layout

if TYPE_CHECKING:
    # Exported: they are what the commands are given.
    from chassis.dead_letters import Letter as Letter  # noqa: PLC0414
    from orchestrator.drain import Standing as Standing  # noqa: PLC0414

# Imported where they are needed: most commands do without.


class Operator:
    """Works across all services and organisations; every call opens connections of its own."""

    def __init__(self, layout: Layout, environ: Mapping[str, str] = os.environ) -> None:
        self._layout = layout
        self._environ = environ

    async def letters(
        self, service: str | None = None, *, replayed: bool = False
    ) -> "list[Letter]":
        """The messages that services gave up, oldest first; `replayed`: also those sent again."""
        from chassis import dead_letters

        async with database(self._layout, self._environ) as connection:
            return await dead_letters.letters(connection, service=service, replayed=replayed)

    async def letter(self, letter_id: UUID) -> "tuple[Letter, bytes] | None":
        """One of them, with its body; None when there is none of this id."""
        from chassis import dead_letters

        async with database(self._layout, self._environ) as connection:
            letter = await dead_letters.find(connection, letter_id)
            body = await dead_letters.body(connection, letter) if letter else None
            return (letter, body) if letter and body is not None else None

    async def replay(
        self, letters: "Sequence[Letter]", sent: "Callable[[Letter], None]", *, again: bool = False
    ) -> int:
        """Send letters anew, saying each; returns how many were not, having been sent before."""
        from chassis import dead_letters

        skipped = 0
        async with (
            database(self._layout, self._environ) as connection,
            jetstream(self._layout, self._environ) as streams,
        ):
            for letter in letters:
                try:
                    await dead_letters.replay(connection, streams, letter, again=again)
                except dead_letters.AlreadyReplayed:
                    skipped += 1
                else:
                    sent(letter)
        return skipped

    async def drop(self, letters: "Sequence[Letter]") -> None:
        """Delete letters for good."""
        from chassis import dead_letters

        async with database(self._layout, self._environ) as connection:
            await dead_letters.drop(connection, letters)

    async def topology(self) -> list[str]:
        """Make streams and consumers what they have to be; gives what is to be changed by hand."""
        from stack import topology

        return await topology.apply(self._layout, self._environ)

    async def drain(self) -> "Standing":
        """Let no run start any more; what runs goes on."""
        from orchestrator import drain

        async with database(self._layout, self._environ) as connection:
            return await drain.drain(connection)

    async def end_drain(self) -> "Standing":
        """Let runs start again."""
        from orchestrator import drain

        async with database(self._layout, self._environ) as connection:
            return await drain.end_drain(connection)

    async def standing(self) -> "tuple[Standing, int]":
        """Whether it is drained, what runs and waits, and how many dead letters there are."""
        from chassis import dead_letters
        from orchestrator import drain

        async with database(self._layout, self._environ) as connection:
            return await drain.standing(connection), await dead_letters.count(connection)
