"""Equal requests of one person at a replica, and newer ones of the same view."""

import asyncio
from uuid import UUID

import pytest

from chassis.answers import Answers
from chassis.bus import Bus
from chassis.testing import eventually
from contracts.envelope import Meta, new_id
from contracts.problem import ProblemError
from contracts.transform import PreviewPage, PreviewTable

from ...conftest import Ground

PAGE = PreviewPage(columns=(), types={}, rows=(), total_count=0, elapsed_ms=0)


class Previews:
    """Answers previews when it is let go."""

    def __init__(self) -> None:
        self.begun: list[PreviewTable] = []
        self.cancelled: list[PreviewTable] = []
        self.go = asyncio.Event()

    async def __call__(self, request: PreviewTable, _: Meta) -> PreviewPage:
        self.begun.append(request)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise
        return PAGE

    async def has_begun(self, count: int) -> None:
        async def begun() -> bool:
            return len(self.begun) >= count

        await eventually(begun)


@pytest.fixture
async def previews(ground: Ground):
    answers, previews = Answers(ground.bus("transform"), "transform"), Previews()
    answers.answer(PreviewTable, previews)
    await answers.start()
    yield previews
    previews.go.set()
    await answers.stop()


def ask(bus: Bus, org_id: UUID, actor: str, request: PreviewTable) -> "asyncio.Task[PreviewPage]":
    return asyncio.create_task(bus.ask(request, org_id=org_id, actor=actor, timeout=20))


async def test_equal_requests_of_one_person_are_one_piece_of_work(
    bus: Bus, previews: Previews
) -> None:
    org_id, wells = new_id(), PreviewTable(name="wells")
    asked = [ask(bus, org_id, "ada", wells) for _ in range(3)]
    await previews.has_begun(1)
    others = [
        ask(bus, org_id, "ada", PreviewTable(name="wells", offset=100)),
        ask(bus, org_id, "bob", wells),
        ask(bus, new_id(), "ada", wells),
    ]
    await previews.has_begun(4)
    # Answered in the order of arrival: the first three have arrived by then.
    previews.go.set()
    assert await asyncio.gather(*asked, *others) == [PAGE] * 6
    assert len(previews.begun) == 4


async def test_a_request_that_leaves_takes_its_work_along_unless_another_waits(
    bus: Bus, previews: Previews
) -> None:
    org_id, wells = new_id(), PreviewTable(name="wells")
    first, second = (ask(bus, org_id, "ada", wells) for _ in range(2))
    await previews.has_begun(1)
    # Asked over the same connection, later: by its answer the two have arrived.
    ask(bus, org_id, "bob", wells)
    await previews.has_begun(2)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert previews.cancelled == []
    second.cancel()

    async def ended() -> bool:
        return previews.cancelled == [wells]

    await eventually(ended)


async def test_a_newer_request_for_a_view_ends_the_older_one(bus: Bus, previews: Previews) -> None:
    org_id = new_id()
    older = ask(bus, org_id, "ada", PreviewTable(name="wells", view="editor"))
    await previews.has_begun(1)
    others = [
        ask(bus, org_id, "ada", PreviewTable(name="pumps", view="list")),
        ask(bus, org_id, "ada", PreviewTable(name="pumps")),
        ask(bus, org_id, "bob", PreviewTable(name="pumps", view="editor")),
    ]
    await previews.has_begun(4)
    newer = ask(bus, org_id, "ada", PreviewTable(name="pumps", view="editor"))
    with pytest.raises(ProblemError) as raised:
        await older
    assert (raised.value.problem.status, raised.value.problem.code) == (409, "superseded")
    previews.go.set()
    assert await asyncio.gather(newer, *others) == [PAGE] * 4
    assert [request.name for request in previews.cancelled] == ["wells"]
