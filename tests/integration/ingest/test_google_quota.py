"""The quota that replicas share: one bucket for each credential, in the database."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio
from tests.servers.google import GoogleServer
from tests.servers.sheets import Tab, Workbook

from chassis.database import Database
from contracts.envelope import new_id
from contracts.shares import GOOGLE_READS
from ingest.connectors import Unavailable
from ingest.connectors.google.auth import ServiceAccount
from ingest.connectors.google.quota import KeyShare, SharedQuota
from ingest.settings import Settings

EVER = 1e6


@pytest.fixture
def email() -> str:
    """A service account that no other test reads as."""
    return f"{new_id().hex}@project.iam.gserviceaccount.com"


@pytest_asyncio.fixture
async def replicas(ground) -> AsyncIterator[list[Database]]:
    """The database as two replicas see it."""
    given = {key.lower(): value for key, value in ground.environment("ingest").items()}
    settings = Settings.model_validate(given)
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(2):
            found.append(database := await Database.connect(settings, "ingest"))
            stack.push_async_callback(database.close)
        yield found


@pytest.fixture
def quotas(replicas) -> list[SharedQuota]:
    return [SharedQuota(database) for database in replicas]


async def test_two_replicas_together_make_no_more_reads_in_any_minute_than_google_allows(
    google: GoogleServer, replicas, email
):
    """Every read is made at the time that was reserved for it, on the clock of the server."""
    # A read may be late by as long as one more takes to be allowed: the larger the burst, the longer.
    quotas = [SharedQuota(database, burst=45) for database in replicas]
    google.workbooks["book"] = Workbook("Donors", [Tab(0, "Data", [["a"]])], {email})

    async def planned(quota: SharedQuota) -> float:
        wait = await quota.reserve(email, EVER)
        assert wait is not None
        return time.monotonic() + wait

    times = sorted(await asyncio.gather(*(planned(quotas[turn % 2]) for turn in range(70))))
    with httpx.Client(base_url=google.url) as http:
        token = await ServiceAccount(google.key(email), http, google.token_url).token()
        # A connection for each: on one that is kept, every answer waits for TCP's delayed ACK.
        http.headers.update({"Authorization": f"Bearer {token}", "Connection": "close"})
        answers = [_read_at(google, http, at) for at in times]
    assert answers == [200] * 70


def _read_at(google: GoogleServer, http: httpx.Client, at: float) -> int:
    google.clock = lambda: at
    return http.get("/v4/spreadsheets/book").status_code


async def test_who_will_not_wait_takes_nothing(quotas, email):
    made = [await quotas[0].reserve(email, 0) for _ in range(15)]
    assert made == [0] * 15
    refused = [await quotas[1].reserve(email, 0.1) for _ in range(20)]
    assert refused == [None] * 20
    assert (await quotas[1].reserve(email, 60) or 0) < 2


async def test_each_credential_has_a_bucket_of_its_own(quotas, email):
    await quotas[0].hold(email, 30)
    assert await quotas[0].reserve(email, 0) is None
    assert await quotas[0].reserve(f"other-{email}", 0) == 0


async def test_what_google_held_back_holds_for_the_next_reads_of_all_replicas(quotas, email):
    await quotas[0].hold(email, 300)
    await quotas[0].hold(email, 10)
    first, second = [await quotas[1].reserve(email, EVER) for _ in range(2)]
    assert first is not None
    assert second is not None
    assert 200 < first <= 300
    assert second > first


async def test_a_credential_is_not_named_in_the_database(replicas, quotas, email):
    await quotas[0].reserve(email, 0)
    async with replicas[0].transaction() as connection:
        names = await connection.fetch("SELECT credential FROM google_quotas")
    assert all(email not in name["credential"] for name in names)


async def test_one_organisation_leaves_reads_of_the_common_key_to_others(replicas, quotas, email):
    each = SharedQuota(replicas[0], GOOGLE_READS.limit, burst=GOOGLE_READS.limit // 4)
    greedy, ordinary = (KeyShare(quotas[0], each, new_id()) for _ in range(2))
    turns = [greedy.reserve(email, 15.0) for _ in range(GOOGLE_READS.limit)]
    answers = await asyncio.gather(*turns, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    assert 10 <= len(answers) - len(refusals) < GOOGLE_READS.limit
    refused = refusals[0]
    assert isinstance(refused, Unavailable)
    assert refused.code == "quota_share"
    assert "a key of your own" in str(refused)
    turn = await ordinary.reserve(email, 15.0)
    assert turn is not None
