"""Looks into sources that nobody waits for any more, and servers that do not come to an end."""

import asyncio
import time
from collections.abc import Iterator
from copy import deepcopy

import httpx
import pytest
from pydantic import SecretStr

from chassis.testing import eventually
from contracts.envelope import new_id
from contracts.ingest import (
    CreateSource,
    KoboConfig,
    ListForms,
    ListSources,
    PreviewSource,
    UpdateSource,
)
from contracts.message import Request
from contracts.problem import ProblemError
from ingest.connectors import Unavailable
from ingest.connectors.google.auth import ServiceAccount
from ingest.connectors.google.client import SheetsClient
from ingest.connectors.kobo.client import KoboClient
from ingest.connectors.kobo.http import HURRIED, Patience
from ingest.readers.sheets import in_time

from ...servers import kobo
from ...servers.dripping import What, dripping
from ...servers.households import CONTENT
from ...servers.kobo import TOKEN, KoboServer
from .stand import workers


@pytest.fixture
def server() -> Iterator[KoboServer]:
    with kobo.running() as server:
        yield server


@pytest.mark.parametrize("kind", [PreviewSource, ListForms, CreateSource, UpdateSource])
async def test_a_look_that_is_given_up_ends_its_worker(
    kind: type[Request], stand, transform, run_ingest, server
):
    form = server.add_form("Households", deepcopy(CONTENT))
    token = SecretStr(TOKEN)
    config = KoboConfig(server_url=server.url, form_id=form.uid, api_token=token)
    async with run_ingest(kobo_allowed_origins=(server.url,)):
        made = CreateSource(source_id=new_id(), name="form", source_type="kobo", config=config)
        asked = {
            CreateSource: made.model_copy(update={"source_id": new_id(), "name": "another"}),
            PreviewSource: PreviewSource(source_type="kobo", config=config),
            ListForms: ListForms(server_url=server.url, api_token=token),
            UpdateSource: UpdateSource(source_id=made.source_id, config=config),
        }[kind]
        await stand.ask(made)
        server.is_slow = True
        calls = len(server.calls)
        asking = asyncio.create_task(stand.ask(asked, timeout=60))

        async def has_called() -> bool:
            return len(server.calls) > calls

        async def no_worker_is_left() -> bool:
            return not workers()

        await eventually(has_called, within=15)
        assert workers()
        asking.cancel()
        # Sooner than the deadline of the call would have ended it.
        await eventually(no_worker_is_left, within=HURRIED.total / 2)
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.is_slow = False
        assert [one.name for one in (await stand.ask(ListSources())).sources] == ["form"]
        # Its slot is free for the next.
        await stand.ask(made.model_copy(update={"source_id": new_id(), "name": "third"}))


@pytest.mark.parametrize("what", ["silence", "head", "body"])
def test_a_form_server_that_drips_is_named_with_the_time_that_it_took(what: What):
    hurried = Patience(tries=3, backoff=0.001, timeout=30, total=0.5, overall=0.5)
    with dripping(what, every=0.05) as server:
        host = server.url.removeprefix("http://")
        with KoboClient(
            server.url, SecretStr(TOKEN), allowed=[server.url], patience=hurried
        ) as client:
            with pytest.raises(Unavailable) as caught:
                client.definition("aForm")
            with pytest.raises(Unavailable):
                list(client.submissions("aForm"))
        assert caught.value.code == "kobo_too_slow"
        assert f"{host} took longer than 0 s" in caught.value.message
        assert server.connections == 1, "it is not tried again in the time that is over"


def test_people_wait_seconds_and_syncs_minutes_for_one_answer():
    assert HURRIED.overall == HURRIED.total == 20
    assert Patience().total <= 180


async def test_google_that_drips_is_left_at_the_deadline_and_the_connection_is_closed(google):
    class Unbounded:
        async def reserve(self, email: str, patience: float) -> float | None:
            return 0

        async def hold(self, email: str, seconds: float) -> None:
            raise AssertionError

    with dripping("body", every=0.05) as server, httpx.Client() as blocking:
        account = ServiceAccount(
            google.key("a@project.iam.gserviceaccount.com"), blocking, google.token_url
        )
        async with httpx.AsyncClient() as http:
            client = SheetsClient(http, account, Unbounded(), server.url, patience=30)
            with pytest.raises(Unavailable) as caught:
                async with in_time(1):
                    await client.spreadsheet("1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms")
            assert caught.value.code == "google_too_slow"
            assert await asyncio.to_thread(server.left.acquire, timeout=10)


async def test_a_form_that_is_looked_into_for_too_long_is_a_problem_in_words(
    stand, transform, run_ingest
):
    with dripping("body") as server:
        config = KoboConfig(server_url=server.url, form_id="aForm", api_token=SecretStr(TOKEN))
        async with run_ingest(kobo_allowed_origins=(server.url,)):
            began = time.monotonic()
            with pytest.raises(ProblemError) as caught:
                await stand.ask(PreviewSource(source_type="kobo", config=config), timeout=110)
            problem = caught.value.problem
            assert (problem.status, problem.code) == (503, "kobo_too_slow")
            assert "took longer than 20 s" in (problem.detail or "")
            assert time.monotonic() - began >= HURRIED.total
