"""Access tokens: what auth made is let in, what anybody else made is not."""

import asyncio
import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.auth import ACCESS_CLAIMS, JsonWebKeySet
from contracts.problem import ProblemError, problem
from gateway import auth
from gateway.auth import Keys, Verifier
from gateway.settings import Settings

KID = "the-tests-key"
SECRET = "a secret that is long enough for HS256"


class Auth:
    """The side that publishes keys, as the gateway hears it: counted, and sometimes away."""

    def __init__(self, key_set: JsonWebKeySet) -> None:
        self.answer: JsonWebKeySet | None = key_set
        self.asked = 0

    async def ask(self) -> JsonWebKeySet:
        self.asked += 1
        await asyncio.sleep(0)
        if self.answer is None:
            raise problem(503, "service_unavailable", "The service 'auth' does not run.")
        return self.answer


@pytest.fixture
def publisher(key_set) -> Auth:
    return Auth(key_set)


@pytest.fixture
def verifier(settings, publisher) -> Verifier:
    return Verifier(settings, Keys(publisher.ask))


async def refusal(verifier: Verifier, token: str) -> tuple[int, str]:
    with pytest.raises(ProblemError) as raised:
        await verifier.verify(token)
    return raised.value.problem.status, raised.value.problem.code


async def test_a_token_of_auth_names_its_caller(verifier, make_token):
    caller = await verifier.verify(make_token(role="editor"))
    assert caller.role == "editor"
    assert caller.actor == str(caller.user_id)
    assert caller.expires_at > datetime.now(UTC)


@pytest.mark.parametrize("claim", ACCESS_CLAIMS)
async def test_every_claim_is_required(verifier, make_token, claim):
    assert await refusal(verifier, make_token(**{claim: None})) == (401, "token_invalid")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-api"},
        {"iss": "somebody"},
        {"typ": "refresh"},
        {"role": "root"},
        {"org": "not-an-id"},
        {"sub": 5},
        {"nbf": datetime.now(UTC) + timedelta(hours=1)},
    ],
)
async def test_a_claim_that_is_not_ours_is_refused(verifier, make_token, changes):
    assert await refusal(verifier, make_token(**changes)) == (401, "token_invalid")


async def test_an_expired_token_is_told_apart_so_that_it_is_refreshed(verifier, make_token):
    token = make_token(exp=datetime.now(UTC) - timedelta(seconds=1))
    assert await refusal(verifier, token) == (401, "token_expired")


async def test_a_token_without_a_signature_is_refused(verifier, make_token):
    assert await refusal(verifier, make_token(key=None, algorithm="none")) == (401, "token_invalid")
    _, claims, signature = make_token().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "x"}).encode()).decode()
    for forged in (f"{header}.{claims}.", f"{header}.{claims}.{signature}"):
        assert await refusal(verifier, forged) == (401, "token_invalid")


async def test_the_public_key_is_no_shared_secret(verifier, make_token, key_set, private_key):
    raw = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    for secret in (raw, key_set.keys[0].x.encode(), key_set.keys[0].model_dump_json().encode()):
        token = signed_with(secret, make_token())
        assert await refusal(verifier, token) == (401, "token_invalid")


def signed_with(secret: bytes, token: str) -> str:
    """The claims of a token, under a hash with the secret; by hand, since PyJWT would not."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": KID}).encode())
    content = header.rstrip(b"=") + b"." + token.split(".")[1].encode()
    signature = hmac.digest(secret, content, "sha256")
    return (content + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def test_another_algorithm_is_refused_under_a_known_key_id(verifier, make_token):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = make_token(key=key, algorithm="RS256")
    assert await refusal(verifier, token) == (401, "token_invalid")


async def test_another_key_is_refused_under_a_known_key_id(verifier, make_token):
    token = make_token(key=Ed25519PrivateKey.generate())
    assert await refusal(verifier, token) == (401, "token_invalid")


async def test_a_key_in_the_tokens_own_header_counts_for_nothing(verifier, make_token):
    mine = Ed25519PrivateKey.generate()
    claims = jwt.decode(make_token(), options={"verify_signature": False})
    own = {"kid": "mine", "jku": "https://evil.example/jwks", "jwk": {"kty": "OKP"}}
    token = jwt.encode(claims, mine, algorithm="EdDSA", headers=own)
    assert await refusal(verifier, token) == (401, "token_invalid")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "dlg_1_2", "ü.ü.ü", "." * 10])
async def test_what_is_no_token_is_refused(verifier, token):
    assert await refusal(verifier, token) == (401, "token_invalid")


async def test_many_tokens_at_once_ask_for_the_keys_once(verifier, publisher, make_token):
    await asyncio.gather(*(verifier.verify(make_token()) for _ in range(20)))
    assert publisher.asked == 1


async def test_unknown_key_ids_cannot_be_used_to_flood_auth(verifier, publisher, make_token):
    await verifier.verify(make_token())
    for number in range(20):
        await refusal(verifier, make_token(kid=f"unknown-{number}"))
    assert publisher.asked == 1


async def test_a_rotated_key_is_found_after_the_pause(
    settings, publisher, make_token, key_set, monkeypatch
):
    new = key_set.keys[0].model_copy(update={"kid": "new"})
    verifier = Verifier(settings, Keys(publisher.ask))
    await verifier.verify(make_token())
    publisher.answer = JsonWebKeySet(keys=(*key_set.keys, new))
    assert await refusal(verifier, make_token(kid="new")) == (401, "token_invalid")
    monkeypatch.setattr(auth, "PAUSE", 0.0)
    assert await verifier.verify(make_token(kid="new"))


async def test_the_last_good_keys_serve_while_auth_is_away(
    settings, publisher, make_token, monkeypatch
):
    monkeypatch.setattr(auth, "FRESH", 0.0)
    monkeypatch.setattr(auth, "PAUSE", 0.0)
    verifier = Verifier(settings, Keys(publisher.ask))
    await verifier.verify(make_token())
    publisher.answer = None
    assert await verifier.verify(make_token())
    assert publisher.asked == 2


async def test_without_any_key_the_caller_is_told_to_come_back(verifier, publisher, make_token):
    publisher.answer = None
    assert await refusal(verifier, make_token()) == (503, "service_unavailable")
    with pytest.raises(ProblemError):
        await verifier.check()


async def test_keys_that_come_late_are_taken_at_once(verifier, publisher, make_token, key_set):
    publisher.answer = None
    await refusal(verifier, make_token())
    publisher.answer = key_set
    assert await verifier.verify(make_token())


class TestSharedSecret:
    """JWT_ALGORITHM=HS256, as in the reference settings."""

    @pytest.fixture
    def verifier(self, settings, publisher) -> Verifier:
        shared = {"jwt_algorithm": "HS256", "jwt_secret_key": SECRET}
        other = Settings.model_validate(settings.model_dump() | shared)
        return Verifier(other, Keys(publisher.ask))

    async def test_a_token_of_the_secret_is_let_in_without_any_key(
        self, verifier, publisher, make_token
    ):
        assert await verifier.verify(make_token(key=SECRET, algorithm="HS256"))
        await verifier.check()
        assert publisher.asked == 0

    async def test_a_token_of_another_secret_or_of_a_key_is_refused(self, verifier, make_token):
        other = make_token(key="another secret, and it is long too", algorithm="HS256")
        assert await refusal(verifier, other) == (401, "token_invalid")
        assert await refusal(verifier, make_token()) == (401, "token_invalid")
