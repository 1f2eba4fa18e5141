"""The gateway without a bus: its keys are the test's own, and nobody is asked anything."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from jwt.algorithms import OKPAlgorithm
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from chassis.objects import Objects
from chassis.shares import Shares
from contracts.auth import ACCESS_AUDIENCE, ACCESS_ISSUER, JsonWebKey, JsonWebKeySet
from contracts.envelope import new_id
from gateway.app import create_app
from gateway.auth import Keys, Verifier
from gateway.edge import Edge
from gateway.fanout import Fanout
from gateway.request_rates import requests_of_organizations
from gateway.settings import Settings
from gateway.unconfirmed import Unconfirmed

KID = "the-tests-key"
MakeToken = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def _traces() -> None:
    """Spans have ids only once there is a provider; a process sets it in telemetry.configure."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(TracerProvider())


@pytest.fixture(scope="session")
def private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def key_set(private_key: Ed25519PrivateKey) -> JsonWebKeySet:
    public = cast("dict[str, str]", OKPAlgorithm.to_jwk(private_key.public_key(), as_dict=True))
    return JsonWebKeySet(keys=(JsonWebKey(kid=KID, x=public["x"]),))


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings.model_validate(
        {
            "nats_url": "nats://nowhere",
            "object_store_url": tmp_path.as_uri(),
            "cors_origins": "https://app.example.org, http://localhost:3000/",
        }
    )


@pytest.fixture
def make_token(private_key: Ed25519PrivateKey) -> MakeToken:
    """A token as auth makes it, but for what the test changes; None leaves a claim out."""

    def make(
        *, key: Any = private_key, algorithm: str = "EdDSA", kid: str = KID, **changes: object
    ) -> str:
        now = datetime.now(UTC)
        claims: dict[str, object] = {
            "iss": ACCESS_ISSUER,
            "aud": ACCESS_AUDIENCE,
            "sub": str(new_id()),
            "org": str(new_id()),
            "role": "owner",
            "sid": str(new_id()),
            "exp": now + timedelta(minutes=15),
            "nbf": now,
            "iat": now,
            "jti": str(new_id()),
            "typ": "access",
        } | changes
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, key, algorithm=algorithm, headers={"kid": kid})

    return make


@pytest.fixture
def app(settings: Settings, key_set: JsonWebKeySet) -> FastAPI:
    async def ask() -> JsonWebKeySet:
        return key_set

    application = create_app(settings)
    application.state.edge = Edge(
        settings=settings,
        bus=cast("Any", None),
        verifier=Verifier(settings, Keys(ask)),
        fanout=Fanout(),
        objects=Objects(settings.object_store_url),
        quotas=cast("Any", None),
        queue_room=cast("Any", None),
        requests=requests_of_organizations(settings),
        shares=Shares(),
        unconfirmed=Unconfirmed(cast("Any", None)),
    )
    return application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
