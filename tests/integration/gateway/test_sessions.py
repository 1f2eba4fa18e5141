"""Sessions over HTTP: the cookie, the token, and where they end."""

from http.cookies import SimpleCookie

import httpx
import pytest
from prometheus_client import generate_latest

from chassis.testing import eventually
from contracts.readiness import Readiness
from contracts.streams import READINESS


def cookie(response: httpx.Response):
    """The refresh cookie that a response sets."""
    return SimpleCookie(response.headers["set-cookie"])["dalgo_refresh"]


@pytest.fixture
def email(member) -> str:
    return member.session["user"]["email"]


async def log_in(member, email: str, password: str = "a long and quiet sentence"):
    return await member.client.post("/auth/login", json={"email": email, "password": password})


async def test_a_session_says_who_and_for_how_long_and_hides_the_refresh_token(member, email):
    response = await log_in(member, email)
    session = response.json()
    assert set(session) == {
        "access_token",
        "token_type",
        "expires_in",
        "user",
        "organization",
        "role",
    }
    assert (session["token_type"], session["expires_in"]) == ("Bearer", 900)
    kept = cookie(response)
    assert kept.value not in response.text
    assert (kept["httponly"], kept["samesite"], kept["path"]) == (True, "strict", "/api/v1/auth")
    assert kept["secure"] == ""


async def test_the_cookie_is_secure_but_on_this_machine(member, email):
    response = await member.client.post(
        "/auth/login",
        json={"email": email, "password": "a long and quiet sentence"},
        headers={"Host": "dalgo.example.org"},
    )
    assert cookie(response)["secure"] is True


async def test_me_tells_where_one_is_and_could_be(member):
    me = (await member.client.get("/auth/me")).json()
    assert me["user"]["id"] == str(member.user_id)
    assert me["organization"]["id"] == str(member.org_id)
    assert [entry["role"] for entry in me["organizations"]] == ["owner"]


async def test_refreshing_exchanges_the_cookie_and_gives_a_new_token(member):
    before = member.client.cookies["dalgo_refresh"]
    response = await member.client.post("/auth/refresh")
    assert response.status_code == 200
    assert cookie(response).value != before
    fresh = {"Authorization": f"Bearer {response.json()['access_token']}"}
    assert (await member.client.get("/auth/me", headers=fresh)).status_code == 200


async def test_a_replayed_cookie_ends_the_session(member):
    stolen = {"Cookie": f"dalgo_refresh={member.client.cookies['dalgo_refresh']}"}
    assert (await member.client.post("/auth/refresh")).status_code == 200
    assert (await member.client.post("/auth/refresh")).status_code == 200
    async with httpx.AsyncClient(base_url=member.client.base_url) as thief:
        assert (await thief.post("/auth/refresh", headers=stolen)).status_code == 401
    assert (await member.client.post("/auth/refresh")).json()["code"] == "session_over"


async def test_logging_out_ends_the_session_and_clears_the_cookie(member):
    token = {"Cookie": f"dalgo_refresh={member.client.cookies['dalgo_refresh']}"}
    response = await member.client.post("/auth/logout")
    assert response.status_code == 204
    assert cookie(response).value == ""
    assert (await member.client.post("/auth/refresh", headers=token)).status_code == 401


async def test_wrong_credentials_are_answered_alike(member, email):
    wrong = await log_in(member, email, "a long and wrong sentence")
    unknown = await log_in(member, f"not-{email}", "a long and wrong sentence")
    assert wrong.status_code == unknown.status_code == 401
    told, other = wrong.json(), unknown.json()
    assert told.pop("trace_id") != other.pop("trace_id")
    assert told == other


async def test_a_taken_address_is_a_conflict_that_shows_the_way_out(member, email):
    response = await member.client.post(
        "/auth/signup",
        json={
            "email": email,
            "password": "another quiet sentence",
            "organization_name": "Other",
        },
    )
    assert (response.status_code, response.json()["code"]) == (409, "email_taken")


async def test_the_published_keys_are_those_that_sign(member, gateway):
    import jwt

    async with httpx.AsyncClient(base_url=gateway.url) as client:
        keys = (await client.get("/.well-known/jwks.json")).json()["keys"]
    kid = jwt.get_unverified_header(member.session["access_token"])["kid"]
    assert kid in {key["kid"] for key in keys}
    assert all("d" not in key for key in keys)


async def test_a_shared_secret_serves_both_sides(start_service, start_gateway, sign_up):
    secret = "a secret that is long enough for HS256"
    await start_service("auth", JWT_ALGORITHM="HS256", JWT_SECRET_KEY=secret)
    gateway = await start_gateway(jwt_algorithm="HS256", jwt_secret_key=secret)
    member = await sign_up(gateway)
    assert (await member.client.get("/auth/me")).status_code == 200


async def test_without_auth_nobody_is_let_in_and_readiness_says_so(gateway):
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["bus"] == "ok"
        assert "auth" in ready.json()["checks"]["keys"]
        login = await client.post("/api/v1/auth/login", json={"email": "a@b.c", "password": "x"})
        assert (login.status_code, login.json()["code"]) == (503, "service_unavailable")
        assert login.headers["retry-after"]


async def test_the_gateway_is_ready_when_every_owner_is_and_says_what_one_lacks(
    member, gateway, stand_in
):
    lacks = {"schema": "migration transform/0099_x.sql was not applied"}

    async def ready(*_: object) -> Readiness:
        return Readiness(checks={"database": "ok"})

    async def not_ready(*_: object) -> Readiness:
        return Readiness(checks={"database": "ok"} | lacks)

    async with httpx.AsyncClient(base_url=gateway.url) as client:

        async def checks() -> dict[str, str]:
            return (await client.get("/readyz")).json()["checks"]

        assert (await checks())["auth"] == "ok"
        assert (await checks())["ingest"] != "ok"
        for owner in ("ingest", "orchestrator"):
            await stand_in(owner, {READINESS[owner]: ready})
        await stand_in("transform", {READINESS["transform"]: not_ready})

        async def is_only_transform() -> bool:
            wrong = {name: said for name, said in (await checks()).items() if said != "ok"}
            return wrong == {"transform": f"schema: {lacks['schema']}"}

        await eventually(is_only_transform)
        assert (await client.get("/readyz")).status_code == 503
        lacks.clear()

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(is_ready)


async def test_the_gateway_counts_requests(member, gateway):
    metrics = generate_latest().decode()
    assert (
        'dalgo_http_seconds_count{method="POST",route="/api/v1/auth/signup",status="201"}'
        in metrics
    )
