"""Requests counted by address and by organisation, in one process."""

import pytest
from starlette.types import Scope

from contracts import auth
from contracts.message import Anonymous, registered
from contracts.problem import ProblemError
from contracts.shares import ANONYMOUS, REQUESTS_OF_ADDRESS, SESSIONS
from gateway.addresses import address_of
from gateway.app import create_app
from gateway.auth import Keys
from gateway.request_rates import RequestRate
from gateway.settings import Settings


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def scope(host: str | None) -> Scope:
    return {"type": "http", "client": (host, 1) if host is not None else None}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_is_counted_as_whoever_has_it(host, address):
    assert address_of(scope(host)) == address


def test_a_replica_takes_its_part_of_the_limit_and_says_when_there_is_more():
    clock = Clock()
    rate = RequestRate(REQUESTS_OF_ADDRESS, limit=120, replicas=2, clock=clock)
    for _ in range(60):
        rate.take("a")
    with pytest.raises(ProblemError) as refused:
        rate.take("a")
    problem = refused.value.problem
    assert (problem.status, problem.code, problem.retry_after) == (429, "rate_exceeded", 1)
    assert "120 in 60 s" in problem.detail
    rate.take("b")
    clock.now += 1
    rate.take("a")
    with pytest.raises(ProblemError):
        rate.take("a")
    clock.now += 600
    for _ in range(60):
        rate.take("a")
    with pytest.raises(ProblemError):
        rate.take("a")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {"requests_per_minute_of_address": 3, "requests_per_minute_of_organization": 2}
    return settings.model_copy(update=changes)


async def test_an_address_past_its_rate_is_refused_before_anything_is_done(client):
    for _ in range(3):
        assert (await client.get("/api/v1/auth/me")).status_code == 401
    refused = await client.get("/api/v1/auth/me")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_exceeded")
    assert refused.headers["retry-after"] == "20"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-content-type-options"] == "nosniff"


async def test_an_organisation_past_its_rate_is_refused_and_another_is_not(
    client, make_token, settings
):
    headers = {"Authorization": f"Bearer {make_token(role='viewer')}"}
    outcomes = [
        (await client.post("/api/v1/pipelines", headers=headers)).status_code for _ in range(3)
    ]
    assert outcomes == [403, 403, 429]


def test_forwarded_addresses_count_of_trusted_proxies_alone(settings):
    names = [each.cls.__name__ for each in create_app(settings).user_middleware]  # pyright: ignore[reportAttributeAccessIssue]
    assert "ProxyHeadersMiddleware" not in names


@pytest.mark.parametrize("wrong", ["*", "proxy.example.org", "10.0.0.1/8"])
def test_a_proxy_that_is_no_address_is_refused_by_its_name(settings, wrong):
    given = settings.model_dump() | {"trusted_proxies": f"127.0.0.1,{wrong}"}
    with pytest.raises(ValueError, match="neither an address nor a network"):
        Settings.model_validate(given)


def test_every_route_without_a_session_is_one_whose_cost_is_limited(app):
    """A new one is added here with its rate: `contracts.message.Anonymous` brings its slots."""
    methods = {"get", "post", "put", "patch", "delete"}
    anonymous = {
        path
        for path, operations in app.openapi()["paths"].items()
        for method in operations.keys() & methods
        if not operations[method].get("security")
    }
    asking_auth = {f"/api/v1/auth/{name}" for name in ("signup", "login", "refresh", "logout")}
    assert anonymous == asking_auth | {"/.well-known/jwks.json"}
    limited = {kind for kind in registered() if issubclass(kind, Anonymous)}
    assert limited == {auth.SignUp, auth.LogIn, auth.RefreshSession, auth.LogOut}
    assert {kind for kind in limited if kind.share is ANONYMOUS} == {auth.SignUp, auth.LogIn}
    # A flood of logins leaves those who are signed in their renewals.
    assert {kind for kind in limited if kind.share is SESSIONS} == {
        auth.RefreshSession,
        auth.LogOut,
    }


async def test_whoever_reads_the_public_keys_costs_auth_nothing(key_set):
    asked = []

    async def ask():
        asked.append(1)
        return key_set

    keys = Keys(ask)
    answers = [await keys.published() for _ in range(50)]
    assert answers == [key_set] * 50
    assert len(asked) == 1
