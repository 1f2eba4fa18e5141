"""The history: rounds of edits, runs, cancels and retries, in several organisations at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .client import NotAnswered
from .organization import Organization
from .truth import PIPELINES, STRICT

ENDED = frozenset({"succeeded", "failed", "cancelled"})
ROUND = (*("homes",) * 3, *("visits",) * 3, *("values",) * 2, *("visits alone",) * 2)
_CANCELLED = 0.15
_TRIED_AGAIN = 0.6
_BROKEN = 0.35
_REPEAT_AFTER = 30.0
"""Seconds; the gateway that lives gives a lost command again within five."""


@dataclass(frozen=True)
class Acknowledged:
    """A run that was answered 202: from here on it is the product's."""

    org: str
    run_id: str
    pipeline: str
    generation: int


@dataclass
class History:
    """What was asked, and what came back."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    shown: dict[tuple[str, str], int] = field(default_factory=dict)
    """(organisation, pipeline): the newest generation of which a run was seen to have succeeded."""
    unanswered: list[str] = field(default_factory=list)
    """Requests that nobody answered for minutes."""
    failures: list[str] = field(default_factory=list)
    """Runs that failed though nothing was wrong with what they were given."""
    slow: list[str] = field(default_factory=list)
    """Rounds that did not end in time."""


class Budget:
    """How many runs there are to be."""

    def __init__(self, runs: int) -> None:
        self._left = runs

    def take(self, wanted: int) -> int:
        """Some of what is left, at most as many as wanted."""
        taken = min(self._left, wanted)
        self._left -= taken
        return taken


class Workload:
    """The rounds of one organisation. Sources are edited between the runs of a round only.

    So whatever a run reads is of one generation, and what its readers must see is known.
    """

    def __init__(
        self,
        organization: Organization,
        history: History,
        chance: random.Random,
        patience: float,
        exposed: Container[str],
    ) -> None:
        """`patience`: seconds after which a round that has not ended is called slow.

        `exposed`: runs of which a command was lost with the store of the bus. Their gateway gives it
        again; should that have died too, only the client can, who repeats the request.
        """
        self._own = organization
        self._history = history
        self._chance = chance
        self._patience = patience
        self._exposed = exposed
        self._asked: dict[str, tuple[str, str]] = {}
        """Pipeline and idempotency key, by run."""
        self._number = count()

    async def first(self) -> None:
        """Every pipeline once, so that all tables are there."""
        ids = [await self._start(pipeline, 0.0) for pipeline in PIPELINES]
        await self._until_ended({run_id: 1 for run_id in ids if run_id})

    async def run(self, budget: Budget) -> None:
        """Rounds until the budget is spent."""
        while size := budget.take(len(ROUND)):
            try:
                await self._round(size)
            except NotAnswered as error:
                self._history.unanswered.append(f"{self._own.name}: {error}")

    async def _round(self, size: int) -> None:
        broken = STRICT if self._chance.random() < _BROKEN else None
        await self._own.edit(broken=broken)
        self._history.told["edits"] += 1
        chosen = list(ROUND)[:size]
        self._chance.shuffle(chosen)
        starts = (self._start(pipeline, self._chance.uniform(0, 1.5)) for pipeline in chosen)
        ids = [run_id for run_id in await asyncio.gather(*starts) if run_id]
        doomed = [run_id for run_id in ids if self._chance.random() < _CANCELLED]
        await asyncio.gather(*(self._cancel(run_id) for run_id in doomed))
        runs = await self._until_ended(dict.fromkeys(ids, 1))
        if broken is not None:
            await self._own.mend(broken)
        again = {
            run_id: runs[run_id]["attempt"] + 1
            for run_id in ids
            if await self._retried(runs.get(run_id), broken)
        }
        if again:
            runs |= await self._until_ended(again)
        self._note(ids, runs, broken)

    async def _start(self, pipeline: str, after: float) -> str | None:
        await asyncio.sleep(after)
        key = f"run {next(self._number)}"
        try:
            run_id = await self._own.start(pipeline, key)
        except NotAnswered as error:
            self._history.unanswered.append(f"{self._own.name}: {error}")
            return None
        self._asked[run_id] = pipeline, key
        said = Acknowledged(self._own.id, run_id, pipeline, self._own.generation)
        self._history.acknowledged.append(said)
        return run_id

    async def _cancel(self, run_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0, 2.5))
        await self._own.cancel(run_id)
        self._history.told["cancels"] += 1

    async def _retried(self, run: dict[str, Any] | None, broken: str | None) -> bool:
        """Whether a run that did not succeed was begun again: those that a broken file failed, all."""
        if run is None or run["status"] not in {"failed", "cancelled"}:
            return False
        if not (broken and run["status"] == "failed") and self._chance.random() > _TRIED_AGAIN:
            return False
        taken = await self._own.retry(run["id"])
        self._history.told["retries" if taken else "retries refused"] += 1
        return taken

    async def _until_ended(self, attempts: dict[str, int]) -> dict[str, dict[str, Any]]:
        """The runs, when those with the given ids have ended an attempt of that number or later."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        repeat_at = clock() + _REPEAT_AFTER
        while True:
            runs = await self._own.runs()
            open_ones = [
                key
                for key, attempt in attempts.items()
                if key not in runs
                or runs[key]["status"] not in ENDED
                or runs[key]["attempt"] < attempt
            ]
            if not open_ones:
                return runs
            if clock() > repeat_at:
                repeat_at = clock() + _REPEAT_AFTER
                for key in open_ones:
                    await self._repeat(key, runs.get(key), attempts[key])
            if clock() > deadline:
                self._history.slow.append(f"{self._own.name}: {', '.join(open_ones)}")
                return runs
            await asyncio.sleep(1.0)

    async def _repeat(self, run_id: str, run: dict[str, Any] | None, attempt: int) -> None:
        """As a careful client: of a run that is not there, or was not begun again."""
        if run_id not in self._exposed:
            return
        if run is None:
            await self._own.start(*self._asked[run_id])
        elif run["attempt"] < attempt:
            await self._own.retry(run_id)
        else:
            return
        self._history.told["repeats of what was lost"] += 1

    def _note(self, ids: list[str], runs: dict[str, dict[str, Any]], broken: str | None) -> None:
        for said in self._history.acknowledged:
            if said.run_id not in ids or (run := runs.get(said.run_id)) is None:
                continue
            if run["status"] == "succeeded":
                self._history.shown[said.org, said.pipeline] = said.generation
            for problem in _unasked(run, said.pipeline, broken):
                self._history.failures.append(f"{said.pipeline} {said.run_id}: {problem}")


def _unasked(run: dict[str, Any], pipeline: str, broken: str | None) -> Iterator[str]:
    """Why a run failed, unless it was given a broken file or was begun again too late."""
    error = run["error"]
    if run["status"] != "failed" or error is None or error["code"] == "newer_data":
        return
    if broken and STRICT in PIPELINES[pipeline]:
        return
    yield f"{error['code']}: {error['detail']}"
