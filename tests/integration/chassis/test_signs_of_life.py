"""Requests that nobody works on any more are given up; those that merely take long are not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from pydantic import SecretStr

from chassis import signs_of_life
from chassis.answers import Answers
from chassis.bus import Bus
from chassis.settings import BusSettings
from contracts.envelope import Meta
from contracts.problem import ProblemError
from contracts.transform import PreviewPage, PreviewTable
from stack.servers import Servers

PASSWORD = "only-for-tests"
PAGE = PreviewPage(columns=(), types={}, rows=(), total_count=0, elapsed_ms=0)
QUESTION = PreviewTable(name="people")
LONG = 60.0
"""Seconds that the askers here are ready to wait; none of these tests takes as many."""


@pytest.fixture
def servers():
    """Servers that nobody else uses: they are restarted here."""
    with Servers.temporary(password=PASSWORD) as servers:
        yield servers


@pytest_asyncio.fixture
async def settings_of(servers) -> Callable[[str], BusSettings]:
    def settings(user: str) -> BusSettings:
        return BusSettings(
            nats_url=servers.nats_url, nats_user=user, nats_password=SecretStr(PASSWORD)
        )

    return settings


@pytest_asyncio.fixture
async def connect(settings_of) -> AsyncIterator[Callable[[str], Awaitable[Bus]]]:
    async with AsyncExitStack() as stack:

        async def connected(user: str) -> Bus:
            bus = await Bus.connect(settings_of(user), user)
            stack.push_async_callback(bus.close)
            return bus

        yield connected


class Slow:
    """A replica of transform that answers once `go` is set."""

    def __init__(self, settings: BusSettings) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.answers = Answers(settings, "transform")
        self.answers.answer(PreviewTable, self.preview)

    async def preview(self, request: PreviewTable, meta: Meta) -> PreviewPage:
        self.begun.set()
        await self.go.wait()
        return PAGE


@pytest_asyncio.fixture
async def slow(settings_of) -> AsyncIterator[Slow]:
    replica = Slow(settings_of("transform"))
    await replica.answers.start()
    yield replica
    replica.go.set()
    await replica.answers.stop()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signs_of_life, "EVERY", 0.1)
    monkeypatch.setattr(signs_of_life, "SILENCE", 1.0)


async def refusal(asking: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(ProblemError) as raised:
        await asking
    return raised.value.problem.status, raised.value.problem.code


async def test_a_request_that_died_with_its_replica_is_given_up(connect, org_id):
    gateway, transform = await connect("gateway"), await connect("transform")
    taken = asyncio.Event()

    async def die(_: Msg) -> None:
        taken.set()

    await transform.connection.subscribe(QUESTION.subject(), queue="transform", cb=die)
    await transform.connection.flush()
    async with asyncio.timeout(LONG / 2):
        asking = gateway.ask(QUESTION, org_id=org_id, timeout=LONG)
        assert await refusal(asking) == (504, "no_answer")
    assert taken.is_set()


async def test_an_answer_that_takes_long_is_waited_for(connect, slow, org_id):
    gateway = await connect("gateway")
    asking = asyncio.create_task(gateway.ask(QUESTION, org_id=org_id, timeout=LONG))
    await slow.begun.wait()
    _, waiting = await asyncio.wait({asking}, timeout=3 * signs_of_life.SILENCE)
    assert waiting
    slow.go.set()
    assert await asking == PAGE


async def test_what_was_asked_before_the_server_restarted_is_given_up(
    connect, slow, servers, org_id
):
    gateway = await connect("gateway")
    asking = asyncio.create_task(gateway.ask(QUESTION, org_id=org_id, timeout=LONG))
    await slow.begun.wait()
    await asyncio.to_thread(servers.nats.stop)
    await asyncio.to_thread(servers.nats.start)
    async with asyncio.timeout(LONG / 2):
        assert await refusal(asking) == (504, "no_answer")
    slow.go.set()
    async with asyncio.timeout(LONG / 2):
        while True:
            try:
                assert await gateway.ask(QUESTION, org_id=org_id) == PAGE
                break
            except ProblemError:
                # The replica is not yet back on the new server.
                await asyncio.sleep(0.1)
