"""Passwords guessed, addresses that sign up again and again: limits that all replicas count together."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.testing import eventually
from contracts.auth import LogIn, LogOut, RefreshSession, SessionGrant, SignUp
from contracts.envelope import new_id
from contracts.problem import Problem, ProblemError
from contracts.shares import WRONG_PASSWORDS

PASSWORD = "a long and quiet sentence"
WRONG = "a long and noisy sentence"
ELSEWHERE = "elsewhere-"


@pytest.fixture
def address() -> str:
    """An address that no other test has."""
    return f"2001:db8::{new_id().hex[-8:-4]}:{new_id().hex[-4:]}"


@pytest.fixture
def email() -> str:
    return f"{new_id().hex}@example.org"


@pytest.fixture
def ask(bus: Bus) -> Callable[..., Awaitable[SessionGrant | Problem]]:
    """Asks auth; gives a refusal as data."""

    async def send(request) -> SessionGrant | Problem:
        try:
            return await bus.ask(request, org_id=None)
        except ProblemError as error:
            return error.problem

    return send


def sign_up(email: str, address: str) -> SignUp:
    password = SecretStr(PASSWORD)
    return SignUp(email=email, password=password, organization_name="Wells", address=address)


def log_in(email: str, address: str | None, password: str = PASSWORD) -> LogIn:
    return LogIn(email=email, password=SecretStr(password), address=address)


def statuses(outcomes: list[SessionGrant | Problem]) -> list[int]:
    return [one.status if isinstance(one, Problem) else 200 for one in outcomes]


async def test_wrong_passwords_are_throttled_and_the_owner_gets_in(
    start_service, ask, email, address
):
    await start_service("auth")
    await ask(sign_up(email, address))
    outcomes = [await ask(log_in(email, address, WRONG)) for _ in range(120)]
    tried = [one for one in statuses(outcomes) if one == 401]
    # Those that are free, one whose pause has just begun, and what its seconds let through.
    assert WRONG_PASSWORDS.free < len(tried) < WRONG_PASSWORDS.free + 10
    refused = [one for one in outcomes if isinstance(one, Problem) and one.status == 429]
    assert len(refused) == 120 - len(tried)
    assert all(one.retry_after and str(one.retry_after) in one.detail for one in refused)
    # From another address at once, from the same one after the pause.
    assert isinstance(await ask(log_in(email, ELSEWHERE + address)), SessionGrant)

    async def in_again() -> bool:
        return isinstance(await ask(log_in(email, address)), SessionGrant)

    await eventually(in_again, within=60)
    # The failures are forgotten with the success.
    assert isinstance(await ask(log_in(email, address)), SessionGrant)


async def test_parallel_guesses_are_counted_each_over_two_replicas(
    start_service, ask, email, address
):
    await start_service("auth")
    await start_service("auth")
    await ask(sign_up(email, address))
    outcomes = await asyncio.gather(*(ask(log_in(email, address, WRONG)) for _ in range(60)))
    assert 0 < statuses(outcomes).count(401) <= WRONG_PASSWORDS.free + 2
    assert set(statuses(outcomes)) == {401, 429}


async def test_strangers_are_answered_as_users_are(start_service, ask, email, address):
    await start_service("auth")
    await ask(sign_up(email, address))
    answers = []
    for tried in (email, f"no-{email}"):
        outcomes = [
            await ask(log_in(tried, address, WRONG)) for _ in range(WRONG_PASSWORDS.free + 2)
        ]
        answers.append([(one.status, one.code, one.title) for one in outcomes])
    known, unknown = answers
    assert known == unknown
    assert known[-1][0] == 429


async def test_an_address_that_tries_one_password_on_many_accounts_is_throttled(
    start_service, ask, email, address
):
    await start_service("auth", FAILED_LOGINS_PER_HOUR="5")
    await ask(sign_up(email, address))
    # What succeeds is none of what is limited.
    assert statuses([await ask(log_in(email, address)) for _ in range(8)]) == [200] * 8
    outcomes = [await ask(log_in(f"{number}-{email}", address, WRONG)) for number in range(10)]
    assert statuses(outcomes) == [401] * 5 + [429] * 5
    assert isinstance(await ask(log_in(email, ELSEWHERE + address)), SessionGrant)


async def test_sign_ups_from_one_address_are_limited_over_two_replicas(start_service, ask, address):
    for _ in range(2):
        await start_service("auth", SIGNUPS_PER_HOUR="5")
    outcomes = []
    for _ in range(10):
        batch = (ask(sign_up(f"{new_id().hex}@example.org", address)) for _ in range(10))
        outcomes += await asyncio.gather(*batch)
    # On a busy machine one that was counted may find no hash in time.
    refused = [one for one in outcomes if isinstance(one, Problem) and one.code == "rate_exceeded"]
    assert len(refused) == 95
    assert 0 < statuses(outcomes).count(200) <= 5
    other = await ask(sign_up(f"{new_id().hex}@example.org", ELSEWHERE + address))
    assert isinstance(other, SessionGrant)


async def test_sign_ups_that_do_not_fit_are_not_counted(start_service, ask, address):
    await start_service("auth", SIGNUPS_PER_HOUR="1")
    for _ in range(3):
        assert statuses([await ask(sign_up("no address", address))]) == [422]
    assert statuses([await ask(sign_up(f"{new_id().hex}@example.org", address))]) == [200]


async def test_renewals_and_ends_of_sessions_are_limited(start_service, ask, address):
    await start_service("auth", RENEWALS_PER_HOUR="3")
    token = SecretStr("no token of ours")
    outcomes = [
        await ask(RefreshSession(refresh_token=token, address=address)),
        await ask(LogOut(refresh_token=token, address=address)),
        await ask(RefreshSession(refresh_token=token, address=address)),
        await ask(RefreshSession(refresh_token=token, address=address)),
        await ask(LogOut(refresh_token=token, address=address)),
    ]
    assert statuses(outcomes) == [401, 200, 401, 429, 429]
