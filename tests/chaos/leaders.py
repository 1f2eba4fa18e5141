"""Killing the server that leads: the stream of commands, the stream of events, a consumer, in turn."""

import asyncio
import random
from collections.abc import Iterable
from itertools import cycle

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from .ground import Ground
from .nemesis import Nemesis

_LED = ("CMD", "EVT", "orchestrator_events", "ingest_sync_source_v1")


async def kill_leaders(ground: Ground, nemesis: Nemesis) -> None:
    """Kill one leader after the other, in the middle of runs, until cancelled.

    `nemesis.pause` is the time that the one before has to find the others again.
    """
    await _kill(ground, nemesis, cycle(_LED))


async def kill_each_leader(ground: Ground, nemesis: Nemesis) -> None:
    """Kill the leader of the commands, of the events and of a consumer, each once."""
    await _kill(ground, nemesis, _LED[:3])


async def _kill(ground: Ground, nemesis: Nemesis, leaders: Iterable[str]) -> None:
    async with ground.as_migrator() as bus:
        jetstream = bus.jetstream(timeout=3)
        for what in leaders:
            while (name := await _leader(jetstream, what)) is None:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.2)
            await nemesis.kill_server(name)
            nemesis.done[f"leader of {what} killed"] += 1
            await asyncio.sleep(random.uniform(*nemesis.pause))


async def _leader(jetstream: JetStreamContext, what: str) -> str | None:
    """The server that leads a stream or a consumer; None while there is none."""
    try:
        if what in {"CMD", "EVT"}:
            cluster = (await jetstream.stream_info(what)).cluster
        else:
            stream = "EVT" if what.endswith("_events") else "CMD"
            cluster = (await jetstream.consumer_info(stream, what)).cluster
    except (NatsError, OSError, TimeoutError):
        return None
    return cluster.leader if cluster else None
