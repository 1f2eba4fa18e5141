"""Signing in, renewing, and what happens when the server has forgotten us."""

import time

import pytest

from contracts.envelope import new_id
from dalgo import AsyncDalgo, Dalgo, DalgoError, Session

USER = {"id": str(new_id()), "email": "a@example.org", "name": None}
ORGANIZATION = {"id": str(new_id()), "name": "Org", "timezone": "UTC"}
ME = {"user": USER, "organization": ORGANIZATION, "role": "owner", "organizations": []}
COOKIE = "Path=/api/v1/auth; HttpOnly; SameSite=Strict; Secure; Max-Age=604800"


@pytest.fixture
def granted(answer):
    """`granted(token, cookie)`: an answer with a session."""

    def grant(token, cookie, *, expires_in=900, status=200):
        body = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": expires_in,
            "user": USER,
            "organization": ORGANIZATION,
            "role": "owner",
        }
        return answer(status, body, {"Set-Cookie": f"dalgo_refresh={cookie}; {COOKIE}"})

    return grant


def authorizations(gateway, route):
    return [seen.headers.get("authorization") for seen in gateway.requests(route)]


def test_signing_up_signs_in(gateway, answer, granted):
    gateway.on("POST /auth/signup", granted("first", "c1", status=201))
    gateway.on("GET /auth/me", answer(json=ME))
    with Dalgo(gateway.url) as dalgo:
        assert dalgo.signup("a@example.org", "a long password", "Org").role == "owner"
        assert dalgo.me().user.email == "a@example.org"
    assert gateway.seen[0].json["organization_name"] == "Org"
    assert authorizations(gateway, "GET /auth/me") == ["Bearer first"]


def test_a_token_about_to_expire_is_renewed_before_it_is_used(gateway, answer, granted):
    gateway.on("POST /auth/login", granted("first", "c1", expires_in=5))
    gateway.on("POST /auth/refresh", granted("second", "c2"))
    gateway.on("GET /auth/me", answer(json=ME))
    with Dalgo(gateway.url) as dalgo:
        dalgo.login("a@example.org", "a long password")
        dalgo.me()
        dalgo.me()
    assert [seen.headers["cookie"] for seen in gateway.requests("POST /auth/refresh")] == [
        "dalgo_refresh=c1"
    ]
    assert authorizations(gateway, "GET /auth/me") == ["Bearer second", "Bearer second"]


def test_a_token_that_the_server_takes_no_more_is_renewed_once(gateway, answer, granted, refusal):
    expired = refusal(401, "token_expired", "The access token has expired.")
    gateway.on("POST /auth/login", granted("first", "c1"))
    gateway.on("POST /auth/refresh", granted("second", "c2"), granted("third", "c3"))
    gateway.on("GET /auth/me", expired, answer(json=ME), expired)
    with Dalgo(gateway.url) as dalgo:
        dalgo.login("a@example.org", "a long password")
        dalgo.me()
        with pytest.raises(DalgoError, match="has expired"):
            dalgo.me()
    assert authorizations(gateway, "GET /auth/me") == [
        "Bearer first",
        "Bearer second",
        "Bearer second",
        "Bearer third",
    ]
    assert gateway.requests("POST /auth/refresh")[1].headers["cookie"] == "dalgo_refresh=c2"


async def test_the_asynchronous_client_renews_alike(gateway, answer, granted, refusal):
    gateway.on("POST /auth/login", granted("first", "c1"))
    gateway.on("POST /auth/refresh", granted("second", "c2"))
    gateway.on("GET /auth/me", refusal(401, "token_expired", "Expired."), answer(json=ME))
    async with AsyncDalgo(gateway.url) as dalgo:
        await dalgo.login("a@example.org", "a long password")
        assert (await dalgo.me()).role == "owner"


def test_a_renewal_that_is_refused_ends_the_session(gateway, granted, refusal):
    kept = []
    gateway.on("POST /auth/login", granted("first", "c1", expires_in=1))
    gateway.on("POST /auth/refresh", refusal(401, "session_ended", "Log in again."))
    session = Session(on_change=lambda session: kept.append(session.token))
    with Dalgo(gateway.url, session=session) as dalgo:
        dalgo.login("a@example.org", "a long password")
        with pytest.raises(DalgoError, match="Log in again"):
            dalgo.me()
    assert kept == ["first", None]
    assert not session.can_renew


def test_a_renewal_survives_auth_being_away(gateway, answer, granted, refusal):
    gateway.on("POST /auth/login", granted("first", "c1", expires_in=1))
    gateway.on("POST /auth/refresh", refusal(503, "away", "Away."), granted("second", "c2"))
    gateway.on("GET /auth/me", answer(json=ME))
    with Dalgo(gateway.url) as dalgo:
        dalgo.login("a@example.org", "a long password")
        assert dalgo.me().role == "owner"


def test_a_key_is_never_renewed(gateway, refusal):
    gateway.on("GET /auth/me", refusal(401, "token_invalid", "Not valid."))
    with Dalgo(gateway.url, "dlg_1_secret") as dalgo, pytest.raises(DalgoError, match="Not valid"):
        dalgo.me()
    assert len(gateway.seen) == 1


def test_a_wrong_password_is_not_asked_for_twice(gateway, refusal):
    gateway.on("POST /auth/login", refusal(401, "wrong", "E-mail or password is wrong."))
    session = Session(token="old", expires_at=time.time() + 900, cookies={"dalgo_refresh": "c"})
    with Dalgo(gateway.url, session=session) as dalgo, pytest.raises(DalgoError, match="wrong"):
        dalgo.login("a@example.org", "nope")
    assert len(gateway.seen) == 1


def test_logging_out_tells_the_server_and_forgets(gateway, answer, granted):
    gateway.on("POST /auth/login", granted("first", "c1"))
    gateway.on("POST /auth/logout", answer(204))
    with Dalgo(gateway.url) as dalgo:
        dalgo.login("a@example.org", "a long password")
        dalgo.logout()
        assert dalgo.session == Session()
    assert gateway.requests("POST /auth/logout")[0].headers["cookie"] == "dalgo_refresh=c1"


def test_a_session_does_not_print_its_tokens():
    shown = repr(Session(token="secret-token", cookies={"dalgo_refresh": "secret-cookie"}))
    assert "secret" not in shown
