"""A session: organisations are made, the history runs under faults, the faults end, all is examined."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from .checks import Verdict, examine
from .client import Client
from .ground import PASSWORD, TWO_OF_EACH, Ground, running
from .nemesis import Nemesis
from .organization import Organization
from .reader import Reader, Seen
from .workload import ROUND, Budget, History, Workload

_SETTINGS = {
    # A run of which nothing is heard is looked after in seconds, not in minutes.
    "ASK_AGAIN_AFTER": "30",
    "WATCH_EVERY": "1",
}

Harm = Callable[[Ground, Nemesis], Awaitable[None]]
"""Does harm for as long as it is let."""


@dataclass
class Plan:
    """What is to be done."""

    runs: int
    organizations: int
    seed: int
    servers: int = 1
    """Of NATS; three make a cluster with streams of three replicas."""
    replicas: Mapping[str, int] = field(default_factory=lambda: TWO_OF_EACH)
    pause: tuple[float, float] = (1.0, 4.5)
    to_the_end: bool = False
    """Whether the harm has an end, which is waited for."""
    every_point: bool = False
    """Whether runs go on, to four times as many, until a process has died at every crash point."""
    patience: float = 240.0
    """Seconds that a round, and afterwards what is left, may take."""


@dataclass
class Outcome:
    """What was done, and what came of it."""

    plan: Plan
    history: History
    seen: Seen
    verdict: Verdict
    nemesis: Nemesis
    ground: Ground
    asked_again: int
    reminded: int
    """How often the owners of a silent run's steps were asked again."""
    seconds: float
    wanted: list[tuple[str, str]]
    """Crash points at which no process died."""
    kills: int
    """Processes that were ended: services, servers, and those that died at a crash point."""


def _kills(ground: Ground, nemesis: Nemesis) -> int:
    services = sum(ground.deaths.points.values()) + sum(ground.deaths.killed.values())
    return services + sum(n for kind, n in nemesis.done.items() if _is_server_kill(kind))


def _is_server_kill(kind: str) -> bool:
    return kind in {
        "NATS killed",
        "store full",
        "store lost",
        "PostgreSQL killed",
        "a PostgreSQL backend killed",
    }


async def harm_everything(_: Ground, nemesis: Nemesis) -> None:
    """All kinds of faults, until the history is over."""
    await nemesis.run()


async def harm_once(_: Ground, nemesis: Nemesis) -> None:
    """Each kind of fault one time."""
    await nemesis.once()


async def play(plan: Plan, harm: Harm = harm_everything) -> Outcome:
    """Run a session from empty servers to the verdict."""
    began = time.monotonic()
    chance = random.Random(plan.seed)
    history, seen = History(), Seen()
    async with running(servers=plan.servers, replicas=plan.replicas, settings=_SETTINGS) as ground:
        nemesis = Nemesis(ground, random.Random(chance.random()), pause=plan.pause)
        async with _organizations(ground, plan, chance) as organizations:
            loads = [
                Workload(
                    each, history, random.Random(chance.random()), plan.patience, ground.exposed
                )
                for each in organizations
            ]
            await asyncio.gather(*(load.first() for load in loads))
            readers = [Reader(each, ground.superuser_url, PASSWORD) for each in organizations]
            for reader in readers:
                await reader.prepare()
            async with _background(*(reader.run(seen) for reader in readers)):
                async with _background(harm(ground, nemesis)) as (harming,):
                    budget = Budget(plan.runs - len(history.acknowledged))
                    await _unless_failed(harming, *(load.run(budget) for load in loads))
                    while (
                        plan.every_point
                        and nemesis.wanted()
                        and (len(history.acknowledged) < 4 * plan.runs)
                    ):
                        # The runs were faster than the harm.
                        budget = Budget(len(loads) * len(ROUND))
                        await _unless_failed(harming, *(load.run(budget) for load in loads))
                    if plan.to_the_end:
                        await harming
                wanted, kills = nemesis.wanted(), _kills(ground, nemesis)
                await nemesis.heal()
                await ground.until_ready()
                verdict = await examine(ground, organizations, history, within=plan.patience)
            asked_again = sum(each.client.asked_again for each in organizations)
        logs = (replica.log.read_text() for replica in ground.of("orchestrator"))
        reminded = sum(log.count('"run_stalled"') for log in logs)
    seconds = time.monotonic() - began
    return Outcome(
        plan, history, seen, verdict, nemesis, ground, asked_again, reminded, seconds, wanted, kills
    )


@asynccontextmanager
async def _organizations(
    ground: Ground, plan: Plan, chance: random.Random
) -> AsyncIterator[list[Organization]]:
    async with AsyncExitStack() as stack:
        made: list[Organization] = []
        for number in range(plan.organizations):
            client = Client(ground.gateways, random.Random(chance.random()))
            await stack.enter_async_context(client)
            made.append(Organization(client, f"chaos{number}"))
        await asyncio.gather(*(each.build() for each in made))
        yield made


async def _unless_failed(harming: Awaitable[None], *work: Awaitable[None]) -> None:
    """All the work, or what goes wrong with the harm: what that has broken nobody starts again."""
    own, harm = asyncio.gather(*work), asyncio.ensure_future(harming)
    try:
        await asyncio.wait({own, harm}, return_when=asyncio.FIRST_COMPLETED)
        if harm.done():
            await harm
        await own
    finally:
        own.cancel()


@asynccontextmanager
async def _background(*work: Awaitable[None]) -> AsyncIterator[Sequence[Awaitable[None]]]:
    """Do this meanwhile; what goes wrong there is raised at the end."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
