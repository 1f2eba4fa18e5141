"""What must hold when the faults are over."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import asyncpg
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy

from chassis import dead_letters
from chassis.names import schema
from chassis.testing import eventually
from contracts.streams import SERVICES

from .ground import Ground
from .leftovers import leftovers
from .organization import Organization
from .reader import look
from .truth import PIPELINES, TABLES
from .workload import ENDED, Acknowledged, History

_TERMINAL = {f"run_{status}" for status in ENDED}


@dataclass
class Verdict:
    """What was found; every list should be empty."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    """What is neither, and wrong all the same."""
    ended: Counter[str] = field(default_factory=Counter)
    attempts: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.mixed or self.stuck or self.other)


async def examine(
    ground: Ground, organizations: list[Organization], history: History, *, within: float
) -> Verdict:
    """Wait, at most `within` seconds, until nothing moves any more; then look at everything."""
    verdict = Verdict()
    connection = await asyncpg.connect(ground.superuser_url)
    try:
        await _settled(connection, verdict, within)
        await _runs(connection, verdict, history.acknowledged)
        async with ground.as_migrator() as bus:
            terminal = await _terminal_messages(bus.jetstream(), verdict)
            await _streams(bus.jetstream(), verdict)
        await _ended_once(connection, verdict, history.acknowledged, terminal)
        await _published_as_ended(connection, verdict, terminal)
        for organization in organizations:
            await _tables(connection, verdict, organization, history)
        await _claims_and_letters(connection, verdict)
        verdict.other += await leftovers(ground, connection, organizations)
    finally:
        await connection.close()
    return verdict


async def _settled(connection: asyncpg.Connection, verdict: Verdict, within: float) -> None:
    open_runs = (
        "SELECT id, status FROM dalgo_orchestrator.runs WHERE status <> ALL ($1) ORDER BY id"
    )

    async def all_have_ended() -> bool:
        return not await connection.fetch(open_runs, list(ENDED))

    async def outboxes_are_empty() -> bool:
        return not await _waiting(connection)

    try:
        await eventually(all_have_ended, within=within)
    except AssertionError:
        rows = await connection.fetch(open_runs, list(ENDED))
        verdict.stuck += [f"run {row['id']} is {row['status']}" for row in rows]
    try:
        await eventually(outboxes_are_empty, within=30)
    except AssertionError:
        verdict.stuck.append(f"outboxes hold {await _waiting(connection)}")


async def _waiting(connection: asyncpg.Connection) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in SERVICES:
        if entry.name != "gateway":
            found[entry.name] = int(
                await connection.fetchval(
                    f"SELECT count(*) FROM {schema(entry.name)}.outbox WHERE published_at IS NULL"
                )
                or 0
            )
    return {name: number for name, number in found.items() if number}


async def _runs(
    connection: asyncpg.Connection, verdict: Verdict, acknowledged: list[Acknowledged]
) -> None:
    """Every acknowledged run is there, once for each request, and no other."""
    rows = await connection.fetch("SELECT id, status, state FROM dalgo_orchestrator.runs")
    known = {str(row["id"]) for row in rows}
    asked = Counter(said.run_id for said in acknowledged)
    verdict.lost += [
        f"run {key} was acknowledged and is not there" for key in asked if key not in known
    ]
    verdict.doubled += [f"run {key} answered {n} requests" for key, n in asked.items() if n > 1]
    verdict.ended.update(row["status"] for row in rows)
    verdict.attempts = sum(json.loads(row["state"])["attempt"] for row in rows)
    gaps = await connection.fetch(
        "SELECT run_id FROM dalgo_orchestrator.run_events GROUP BY run_id "
        "HAVING count(*) <> max(version) OR min(version) <> 1"
    )
    verdict.lost += [f"the history of run {row['run_id']} has a gap" for row in gaps]


async def _terminal_messages(
    jetstream: JetStreamContext, verdict: Verdict
) -> dict[tuple[str, int], Counter[tuple[str, str]]]:
    """(run, attempt): its terminal messages on the stream EVT, by (type, id)."""
    found: dict[tuple[str, int], Counter[tuple[str, str]]] = defaultdict(Counter)
    for status in sorted(ENDED):
        subscription = await jetstream.pull_subscribe(
            f"evt.*.orchestrator.run_{status}.v1",
            stream="EVT",
            config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
        )
        waiting = (await subscription.consumer_info()).num_pending or 0
        while waiting > 0:
            try:
                messages = await subscription.fetch(min(waiting, 100), timeout=10)
            except NatsTimeout:
                verdict.other.append(f"{waiting} messages of EVT could not be read")
                break
            for message in messages:
                run = json.loads(message.data)["run"]
                said = (message.headers or {})["ce-id"]
                found[run["id"], run["attempt"]][f"run_{status}", said] += 1
                await message.ack()
            waiting -= len(messages)
        await subscription.unsubscribe()
    return found


async def _streams(jetstream: JetStreamContext, verdict: Verdict) -> None:
    async def commands_are_done() -> bool:
        return (await jetstream.stream_info("CMD")).state.messages == 0

    try:
        await eventually(commands_are_done, within=60)
    except AssertionError:
        left = (await jetstream.stream_info("CMD")).state.messages
        verdict.stuck.append(f"{left} commands were never acknowledged")


async def _ended_once(
    connection: asyncpg.Connection,
    verdict: Verdict,
    acknowledged: list[Acknowledged],
    messages: dict[tuple[str, int], Counter[tuple[str, str]]],
) -> None:
    """In the history and on the stream, each attempt of a run has one end, and it is the same."""
    rows = await connection.fetch(
        "SELECT run_id, data -> 'run' ->> 'attempt' AS attempt, type FROM dalgo_orchestrator.run_events "
        "WHERE type = ANY ($1)",
        list(_TERMINAL),
    )
    ends: dict[tuple[str, int], list[str]] = defaultdict(list)
    for row in rows:
        ends[str(row["run_id"]), int(row["attempt"])].append(row["type"])
    latest = {
        str(row["id"]): json.loads(row["state"])["attempt"]
        for row in await connection.fetch("SELECT id, state FROM dalgo_orchestrator.runs")
    }
    stuck = " ".join(verdict.stuck)
    for said in acknowledged:
        for attempt in range(1, latest.get(said.run_id, 0) + 1):
            own = ends.get((said.run_id, attempt), [])
            told = messages.get((said.run_id, attempt), Counter())
            name = f"attempt {attempt} of run {said.run_id}"
            if not own and said.run_id not in stuck:
                verdict.lost.append(f"{name} never ended")
            if len(own) > 1:
                verdict.doubled.append(f"{name} ended as {own}")
            if own and not told:
                verdict.lost.append(f"the end of {name} is not on EVT")
            if len(told) > 1 or any(times > 1 for times in told.values()):
                verdict.doubled.append(f"{name} was said to have ended as {dict(told)}")
            if own and {kind for kind, _ in told} - set(own):
                verdict.doubled.append(f"{name} ended as {own} and is told as {dict(told)}")


async def _published_as_ended(
    connection: asyncpg.Connection,
    verdict: Verdict,
    messages: dict[tuple[str, int], Counter[tuple[str, str]]],
) -> None:
    """What transform decided is how the run ended: none is half published."""
    rows = await connection.fetch(
        "SELECT run_id, attempt, outcome FROM dalgo_transform.publications"
    )
    for row in rows:
        ends = {kind for kind, _ in messages.get((str(row["run_id"]), row["attempt"]), Counter())}
        if (row["outcome"] == "published") != (ends == {"run_succeeded"}):
            verdict.mixed.append(f"run {row['run_id']} was {row['outcome']} and ended as {ends}")


async def _tables(
    connection: asyncpg.Connection, verdict: Verdict, organization: Organization, history: History
) -> None:
    """Every table is what its recipe gives, of the newest generation that was published."""
    wanted = {
        name: max(
            (
                history.shown.get((organization.id, pipeline), 1)
                for pipeline, tables in PIPELINES.items()
                if name in tables
            ),
        )
        for name in TABLES
    }
    found = await look(connection, organization, tuple(TABLES))
    for name, shown in found.items():
        if shown.generations != (wanted[name],):
            verdict.mixed.append(
                f"{organization.name}: {name} shows {shown.generations}, not {wanted[name]}"
            )
        elif shown.digest != TABLES[name].digest(wanted[name]):
            verdict.mixed.append(f"{organization.name}: {name} is not what its sources give")


async def _claims_and_letters(connection: asyncpg.Connection, verdict: Verdict) -> None:
    """No claims of runs that have ended, no letters that nobody explains."""
    for row in await connection.fetch("SELECT run_id, table_id FROM dalgo_orchestrator.run_claims"):
        verdict.stuck.append(f"run {row['run_id']} still claims table {row['table_id']}")
    for letter in await dead_letters.letters(connection):
        verdict.other.append(f"dead letter of {letter.service}: {letter.subject}, {letter.reason}")
