"""Signing keys: made once, seeded, encrypted, and the shared-secret mode of the reference."""

import asyncio
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm
from pydantic import SecretStr

from chassis.bus import Bus
from contracts.auth import (
    ACCESS_AUDIENCE,
    ACCESS_CLAIMS,
    ACCESS_ISSUER,
    GetSigningKeys,
    JsonWebKeySet,
    SessionGrant,
    SignUp,
)
from contracts.envelope import new_id

OTHER_KEY = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="


async def keys(bus: Bus) -> JsonWebKeySet:
    return await bus.ask(GetSigningKeys(), org_id=None)


async def sign_up(bus: Bus) -> SessionGrant:
    return await bus.ask(
        SignUp(
            email=f"{new_id().hex}@example.org",
            password=SecretStr("a long and quiet sentence"),
            organization_name="Wells",
        ),
        org_id=None,
    )


@pytest.fixture
async def no_keys_yet(start_service):
    service = await start_service("auth")
    async with service.database.transaction() as connection:
        await connection.execute("DELETE FROM signing_keys")


async def test_two_replicas_that_start_at_once_make_one_key(no_keys_yet, start_service, bus):
    await asyncio.gather(start_service("auth"), start_service("auth"))
    assert len((await keys(bus)).keys) == 1


async def test_a_token_says_what_it_must_and_verifies_with_the_published_key(start_service, bus):
    await start_service("auth")
    grant = await sign_up(bus)
    token = grant.access_token.get_secret_value()
    published = {key.kid: key for key in (await keys(bus)).keys}
    key = published[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        jwt.PyJWK(key.model_dump()),
        algorithms=["EdDSA"],
        audience=ACCESS_AUDIENCE,
        issuer=ACCESS_ISSUER,
        options={"require": list(ACCESS_CLAIMS)},
    )
    assert claims["sub"] == str(grant.user.id)
    assert claims["org"] == str(grant.organization.id)
    assert (claims["role"], claims["typ"]) == ("owner", "access")
    assert UUID(claims["sid"])
    assert claims["exp"] - claims["iat"] == grant.expires_in == 900


async def test_a_given_private_key_becomes_the_first_signing_key(no_keys_yet, start_service, bus):
    given = Ed25519PrivateKey.generate()
    pem = given.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    await start_service("auth", JWT_PRIVATE_KEY=pem)
    (key,) = (await keys(bus)).keys
    jwt.decode(
        (await sign_up(bus)).access_token.get_secret_value(),
        given.public_key(),
        algorithms=["EdDSA"],
        audience=ACCESS_AUDIENCE,
    )
    assert key.x == OKPAlgorithm.to_jwk(given.public_key(), as_dict=True)["x"]


async def test_a_retired_key_verifies_until_its_tokens_have_died(no_keys_yet, start_service, bus):
    service = await start_service("auth")
    async with service.database.transaction() as connection:
        await connection.execute("UPDATE signing_keys SET retired_at = now()")
    await start_service("auth")
    assert len((await keys(bus)).keys) == 2
    async with service.database.transaction() as connection:
        await connection.execute(
            "UPDATE signing_keys SET retired_at = now() - interval '16 min' "
            "WHERE retired_at IS NOT NULL"
        )
    assert len((await keys(bus)).keys) == 1


async def test_a_lost_encryption_key_ends_the_start_with_the_way_out(no_keys_yet, start_service):
    await start_service("auth")
    with pytest.raises(SystemExit, match="Put the former key back into ENCRYPTION_KEY"):
        await start_service("auth", ENCRYPTION_KEY=OTHER_KEY)


async def test_with_a_shared_secret_no_key_is_published(start_service, bus):
    secret = "a secret that is long enough for HS256"
    await start_service("auth", JWT_ALGORITHM="HS256", JWT_SECRET_KEY=secret)
    assert (await keys(bus)).keys == ()
    claims = jwt.decode(
        (await sign_up(bus)).access_token.get_secret_value(),
        secret,
        algorithms=["HS256"],
        audience=ACCESS_AUDIENCE,
    )
    assert claims["typ"] == "access"
