"""Signing up, logging in and the life of a session, over the real bus and database."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from chassis.bus import Bus
from contracts.auth import (
    GetMe,
    LogIn,
    LogOut,
    OrganizationCreated,
    RefreshSession,
    SessionGrant,
    SignUp,
)
from contracts.envelope import from_body, new_id
from contracts.problem import ProblemError

PASSWORD = "a long and quiet sentence"


@pytest.fixture
async def auth(start_service):
    return await start_service("auth")


@pytest.fixture
def email() -> str:
    return f"{new_id().hex}@example.org"


@pytest.fixture
async def grant(auth, bus: Bus, email: str) -> SessionGrant:
    return await sign_up(bus, email)


async def sign_up(bus: Bus, email: str, password: str = PASSWORD) -> SessionGrant:
    request = SignUp(email=email, password=SecretStr(password), organization_name="Wells")
    return await bus.ask(request, org_id=None)


async def log_in(bus: Bus, email: str, password: str, org: UUID | None = None) -> SessionGrant:
    request = LogIn(email=email, password=SecretStr(password), organization_id=org)
    return await bus.ask(request, org_id=None)


async def refresh(bus: Bus, grant: SessionGrant) -> SessionGrant:
    return await bus.ask(RefreshSession(refresh_token=grant.refresh_token), org_id=None)


async def refusal(waiting) -> tuple[int, str, str]:
    with pytest.raises(ProblemError) as raised:
        await waiting
    problem = raised.value.problem
    return problem.status, problem.code, problem.detail


def token(grant: SessionGrant) -> str:
    return grant.refresh_token.get_secret_value()


async def test_signing_up_makes_a_user_who_owns_an_organisation(bus, grant, email):
    assert (grant.user.email, grant.organization.name, grant.role) == (email, "Wells", "owner")
    assert grant.organization.timezone == "UTC"
    me = await bus.ask(GetMe(user_id=grant.user.id), org_id=grant.organization.id)
    assert me.user == grant.user
    assert [entry.organization for entry in me.organizations] == [grant.organization]


async def test_a_new_organisation_is_announced_once_it_is_committed(bus, auth, email, ground):
    grant = await sign_up(bus, email)
    outbox = "SELECT subject, body, published_at FROM outbox WHERE subject LIKE $1"
    subject = OrganizationCreated.subject(grant.organization.id)
    async with asyncio.timeout(10):
        while True:
            async with auth.database.transaction() as connection:
                (row,) = await connection.fetch(outbox, subject)
            if row["published_at"] is not None:
                break
            await asyncio.sleep(0.02)
    event = from_body(OrganizationCreated, row["body"])
    assert (event.organization_id, event.name) == (grant.organization.id, "Wells")


async def test_a_taken_address_is_a_conflict_in_any_spelling(bus, grant, email):
    status, code, detail = await refusal(sign_up(bus, f"  {email.upper()} "))
    assert (status, code) == (409, "email_taken")
    assert "Log in" in detail


async def test_two_sign_ups_at_once_with_one_address_make_one_account(bus, auth, email):
    both = await asyncio.gather(sign_up(bus, email), sign_up(bus, email), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["ProblemError", "SessionGrant"]


async def test_what_does_not_fit_is_told_field_by_field(bus, auth):
    request = SignUp(email="nobody", password=SecretStr("short"), organization_name=" ")
    with pytest.raises(ProblemError) as raised:
        await bus.ask(request, org_id=None)
    assert raised.value.problem.status == 422
    assert {entry.field for entry in raised.value.problem.errors} == {
        "email",
        "password",
        "organization_name",
    }


async def test_a_closed_house_signs_nobody_up(start_service, bus, email):
    await start_service("auth", SIGNUP="closed")
    assert (await refusal(sign_up(bus, email)))[:2] == (403, "signup_closed")


async def test_logging_in_opens_another_session(bus, grant, email):
    other = await log_in(bus, email.upper(), PASSWORD)
    assert other.user == grant.user
    assert token(other) != token(grant)
    assert token(await refresh(bus, grant)) != token(await refresh(bus, other))


async def test_a_wrong_password_and_an_unknown_user_are_answered_alike(bus, grant, email):
    wrong = await refusal(log_in(bus, email, "a long and wrong sentence"))
    unknown = await refusal(log_in(bus, f"not-{email}", "a long and wrong sentence"))
    assert wrong == unknown
    assert wrong[:2] == (401, "wrong_credentials")


async def test_logging_in_elsewhere_than_where_one_belongs_is_not_found(bus, grant, email):
    assert (await refusal(log_in(bus, email, PASSWORD, new_id())))[0] == 404
    assert (await log_in(bus, email, PASSWORD, grant.organization.id)).role == "owner"


async def test_another_organisation_knows_no_such_user(bus, grant):
    asked = bus.ask(GetMe(user_id=grant.user.id), org_id=new_id())
    assert (await refusal(asked))[0] == 404


async def test_refreshing_rotates_the_token_and_keeps_the_session(bus, grant):
    renewed = await refresh(bus, grant)
    assert token(renewed) != token(grant)
    assert renewed.user == grant.user
    assert token(await refresh(bus, renewed)) not in {token(grant), token(renewed)}


async def test_a_client_that_lost_the_answer_gets_it_again(bus, grant):
    renewed = await refresh(bus, grant)
    again = await refresh(bus, grant)
    assert token(again) == token(renewed)
    assert await refresh(bus, again)


async def test_a_replayed_ancestor_ends_the_session_and_all_its_descendants(bus, grant):
    child = await refresh(bus, grant)
    grandchild = await refresh(bus, child)
    for held in (grant, grandchild, child):
        assert (await refusal(refresh(bus, held)))[:2] == (401, "session_over")


async def test_a_replay_leaves_the_users_other_sessions_alone(bus, grant, email):
    other = await log_in(bus, email, PASSWORD)
    await refresh(bus, await refresh(bus, grant))
    await refusal(refresh(bus, grant))
    assert await refresh(bus, other)


async def test_ten_refreshes_at_once_agree_on_one_successor(bus, grant):
    renewed = await asyncio.gather(*(refresh(bus, grant) for _ in range(10)))
    assert len({token(one) for one in renewed}) == 1
    assert await refresh(bus, renewed[0])


async def test_a_replay_race_never_leaves_two_living_tokens(bus, grant):
    child = await refresh(bus, grant)
    await asyncio.gather(
        *(refresh(bus, held) for held in (grant, child, grant, child)), return_exceptions=True
    )
    grandchild = await refresh_or_none(bus, child)
    assert grandchild is None or await refresh_or_none(bus, grant) is None


async def refresh_or_none(bus: Bus, grant: SessionGrant) -> SessionGrant | None:
    try:
        return await refresh(bus, grant)
    except ProblemError:
        return None


async def test_logging_out_ends_the_session(bus, grant):
    renewed = await refresh(bus, grant)
    await bus.ask(LogOut(refresh_token=grant.refresh_token), org_id=None)
    assert (await refusal(refresh(bus, renewed)))[:2] == (401, "session_over")


async def test_logging_out_with_an_unknown_token_is_fine(bus, auth):
    await bus.ask(LogOut(refresh_token=SecretStr("never seen")), org_id=None)


async def test_an_unknown_or_expired_token_is_refused(bus, auth, grant):
    unknown = bus.ask(RefreshSession(refresh_token=SecretStr("never seen")), org_id=None)
    assert (await refusal(unknown))[:2] == (401, "session_over")
    async with auth.database.transaction() as connection:
        await connection.execute(
            "UPDATE refresh_tokens SET expires_at = now() WHERE session_id IN "
            "(SELECT id FROM sessions WHERE user_id = $1)",
            grant.user.id,
        )
    assert (await refusal(refresh(bus, grant)))[:2] == (401, "session_over")


async def test_no_refresh_token_lies_in_the_database_in_clear(auth, grant):
    async with auth.database.transaction() as connection:
        rows = await connection.fetch("SELECT t::text AS row FROM refresh_tokens t")
    assert rows
    assert not any(token(grant) in row["row"] for row in rows)


async def test_a_hash_of_older_parameters_is_renewed_at_login(bus, auth, grant, email):
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    async with auth.database.transaction() as connection:
        await connection.execute("UPDATE users SET password_hash = $1 WHERE email = $2", old, email)
    await log_in(bus, email, PASSWORD)
    async with auth.database.transaction() as connection:
        new = await connection.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
    assert "m=19456,t=2,p=1" in new
    assert await log_in(bus, email, PASSWORD)


async def test_the_bus_is_the_only_way_in_for_other_services(ground, auth):
    connection = await asyncpg.connect(ground.database_url("ingest"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM dalgo_auth.users")
    finally:
        await connection.close()
