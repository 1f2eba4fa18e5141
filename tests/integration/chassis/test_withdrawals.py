"""Requests whose asker has left: the work on them ends, on whichever replica it is done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from pydantic import SecretStr

from chassis.answers import Answers
from chassis.settings import BusSettings
from chassis.testing import eventually
from chassis.withdrawals import undivided
from contracts.envelope import Meta, derived_id, envelop, to_body, to_headers
from contracts.message import Answer, Part
from contracts.problem import ProblemError
from contracts.transform import GetTable, PreviewPage, PreviewTable

PAGE = PreviewPage(columns=(), types={}, rows=(), total_count=0, elapsed_ms=0)
QUESTION = PreviewTable(name="people")


class Replica:
    """One replica of transform, whose previews take as long as `go` is not set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.ended: list[str] = []

    async def preview(self, request: PreviewTable, meta: Meta) -> PreviewPage:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("done")
        return PAGE

    async def has_ended(self, how: str) -> None:
        async def said() -> bool:
            return self.ended == [how]

        await eventually(said, within=2)

    async def table(self, request: GetTable, meta: Meta) -> Part:
        return await self.preview(QUESTION, meta)


@pytest_asyncio.fixture
async def start(ground) -> AsyncIterator[Callable[[], Awaitable[Replica]]]:
    """Starts replicas, which leave after the test."""
    async with AsyncExitStack() as stack:

        async def replica() -> Replica:
            environment = ground.environment("transform")
            settings = BusSettings(
                nats_url=ground.nats_url,
                nats_user="transform",
                nats_password=SecretStr(environment["NATS_PASSWORD"]),
            )
            answers, started = Answers(settings, "transform"), Replica()
            answers.answer(PreviewTable, started.preview)
            answers.answer(GetTable, started.table)
            await answers.start()
            stack.push_async_callback(answers.stop)
            stack.callback(started.go.set)
            return started

        yield replica


async def test_an_asker_that_leaves_ends_the_work(start, connect_bus, org_id):
    replicas = [await start(), await start()]
    gateway = await connect_bus("gateway")
    asking = asyncio.create_task(gateway.ask(QUESTION, org_id=org_id))
    begun = [asyncio.create_task(replica.begun.wait()) for replica in replicas]
    await asyncio.wait(begun, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    asking.cancel()

    async def one_has_ended() -> bool:
        return [end for replica in replicas for end in replica.ended] == ["cancelled"]

    await eventually(one_has_ended, within=2)
    for task in begun:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_asker_that_waits_no_longer_ends_the_work(start, connect_bus, org_id):
    replica = await start()
    gateway = await connect_bus("gateway")
    with pytest.raises(ProblemError) as raised:
        await gateway.ask(QUESTION, org_id=org_id, timeout=0.2)
    assert (raised.value.problem.status, raised.value.problem.code) == (504, "no_answer")
    await replica.has_ended("cancelled")


async def test_a_withdrawal_that_comes_before_its_request_is_remembered(start, connect_bus, org_id):
    replica = await start()
    gateway = await connect_bus("gateway")
    request_id = derived_id(org_id)
    meta = envelop(QUESTION, source="gateway", org_id=org_id, id=request_id)
    await gateway.connection.publish(QUESTION.withdrawal(), str(request_id).encode())
    await gateway.connection.flush()
    reply = await gateway.connection.request(
        QUESTION.subject(), to_body(QUESTION), timeout=5, headers=to_headers(meta)
    )
    answer = Answer.model_validate_json(reply.data)
    assert answer.problem is not None
    assert (answer.problem.status, answer.problem.code) == (499, "withdrawn")
    assert not replica.begun.is_set()


async def test_what_is_not_withdrawable_is_done_to_its_end(start, connect_bus, org_id):
    replica = await start()
    gateway = await connect_bus("gateway")
    asking = asyncio.create_task(gateway.ask(GetTable(name="people"), org_id=org_id))
    await replica.begun.wait()
    asking.cancel()
    await asyncio.wait([asking])
    replica.go.set()
    await replica.has_ended("done")


async def test_a_part_that_is_done_to_its_end_is_not_cut_by_a_withdrawal():
    begun, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def save() -> str:
        begun.set()
        await go.wait()
        ended.set()
        return "saved"

    asked = asyncio.create_task(undivided(save()))
    await begun.wait()
    for _ in range(3):
        asked.cancel()
        await asyncio.sleep(0)
    assert not asked.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert ended.is_set()
    assert await undivided(save()) == "saved"
