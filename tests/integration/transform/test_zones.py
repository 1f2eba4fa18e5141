"""What TODAY means while people look: the organisation's day, asked of auth now and then."""

from collections.abc import AsyncIterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from chassis.answers import Answers
from chassis.settings import BusSettings
from contracts.auth import GetOrganization, Organization
from contracts.envelope import Meta
from contracts.transform import PreviewRecipe, ShowSql
from transform.zones import Zones

EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"
"""25 hours apart: never on the same day."""
SOURCE = {"type": "source", "table": "visits"}
TODAY = {
    "type": "filter",
    "column": "Day",
    "operator": "in_last",
    "value": {"count": 1, "unit": "day"},
}


@pytest.fixture
async def asked(ground, org_id, other) -> AsyncIterator[list[Meta]]:
    """What auth is asked, by a stand-in that knows two organisations."""
    zones = {org_id: EAST, other.org_id: WEST}
    heard: list[Meta] = []

    async def answer(_: GetOrganization, meta: Meta) -> Organization:
        heard.append(meta)
        assert meta.org_id is not None
        return Organization(id=meta.org_id, name="Org", timezone=zones[meta.org_id])

    password = SecretStr(ground.environment("auth")["NATS_PASSWORD"])
    answers = Answers(
        BusSettings(nats_url=ground.nats_url, nats_user="auth", nats_password=password), "auth"
    )
    answers.answer(GetOrganization, answer)
    await answers.start()
    yield heard
    await answers.stop()


def day(zone: str) -> str:
    return datetime.now(ZoneInfo(zone)).date().isoformat()


async def test_today_is_the_organisations_day_in_previews_and_sql(
    stand, other, asked, column_factory
):
    held = column_factory(day="date")
    for one, zone, wrong in ((stand, EAST, WEST), (other, WEST, EAST)):
        select = f"SELECT DATE '{day(zone)}' AS day UNION SELECT DATE '{day(wrong)}'"
        await one.source("visits", select, held)
        page = await one.ask(PreviewRecipe(recipe={"steps": [SOURCE, TODAY]}))
        assert page.rows == ({"Day": day(zone)},)
        saved = await one.transformation("Today", SOURCE, TODAY)
        for request in (
            ShowSql(transformation_id=saved.id),
            ShowSql(recipe={"steps": [SOURCE, TODAY]}),
        ):
            assert _literal(day(zone)) in (await one.ask(request)).sql


async def test_auth_is_asked_once_a_minute(stand, asked, column_factory):
    await stand.declare("visits", column_factory(day="date"))
    for _ in range(3):
        await stand.ask(ShowSql(recipe={"steps": [SOURCE]}))
    assert [meta.org_id for meta in asked] == [stand.org_id]


async def test_while_auth_is_silent_a_day_is_taken_all_the_same(transform, org_id):
    zones = Zones(transform.bus)
    assert await zones.of(org_id) == "UTC"


def _literal(date: str) -> str:
    year, month, day = (int(part) for part in date.split("-"))
    return f"MAKE_DATE({year}, {month}, {day})"
