"""Secrets of sources: kept encrypted, shown never, bound to where they belong."""

import base64

import pytest
from pydantic import SecretStr

from chassis.crypto import Vault
from contracts.envelope import new_id
from contracts.ingest import CsvConfig, KoboConfig
from contracts.problem import ProblemError
from ingest.sealing import CONCEALED, Sealing

ORG, SOURCE = new_id(), new_id()
TOKEN = "0123456789abcdef"


def key(byte: bytes = b"k") -> str:
    return base64.b64encode(byte * 32).decode()


@pytest.fixture
def sealing() -> Sealing:
    return Sealing(Vault(key()))


def config(token: str | None = TOKEN, **more: object) -> KoboConfig:
    given = {"server_url": "https://kf.example.org", "form_id": "a1", "api_token": token}
    return KoboConfig.model_validate(given | more)


def shown(text: SecretStr | None) -> str | None:
    return text.get_secret_value() if text else None


def test_what_is_stored_shows_no_secret_and_opens_again(sealing):
    stored, sealed = sealing.seal(ORG, SOURCE, config(), {})
    assert TOKEN not in stored.model_dump_json(context={"reveal": True})
    assert TOKEN not in repr(sealed)
    assert set(sealed) == {"api_token"}
    read = KoboConfig.model_validate_json(stored.model_dump_json())
    assert shown(sealing.opened(ORG, SOURCE, read, sealed).api_token) == TOKEN


@pytest.mark.parametrize("said", [None, CONCEALED.get_secret_value()])
def test_a_config_without_the_secret_keeps_it(sealing, said):
    _, sealed = sealing.seal(ORG, SOURCE, config(), {})
    changed, after = sealing.seal(ORG, SOURCE, config(said, values="labels"), sealed)
    assert after == sealed
    assert changed.api_token == CONCEALED
    assert shown(sealing.opened(ORG, SOURCE, changed, after).api_token) == TOKEN


def test_another_secret_takes_its_place(sealing):
    _, sealed = sealing.seal(ORG, SOURCE, config(), {})
    changed, after = sealing.seal(ORG, SOURCE, config("another"), sealed)
    assert shown(sealing.opened(ORG, SOURCE, changed, after).api_token) == "another"


def test_a_secret_that_was_never_given_is_none(sealing):
    assert sealing.seal(ORG, SOURCE, config(None), {}) == (config(None), {})
    assert sealing.opened(ORG, SOURCE, config(CONCEALED.get_secret_value()), {}).api_token is None


def test_a_config_without_secrets_stays_as_it_is(sealing):
    plain = CsvConfig(upload_id=new_id())
    assert sealing.seal(ORG, SOURCE, plain, {}) == (plain, {})
    assert sealing.opened(ORG, SOURCE, plain, {}) == plain


@pytest.mark.parametrize("moved", [(new_id(), SOURCE), (ORG, new_id())])
def test_a_secret_that_was_moved_elsewhere_does_not_open(sealing, moved):
    stored, sealed = sealing.seal(ORG, SOURCE, config(), {})
    with pytest.raises(ProblemError) as caught:
        sealing.opened(*moved, stored, sealed)
    assert caught.value.problem.code == "secret_lost"


def test_keys_rotate_and_one_that_is_gone_is_said(sealing):
    stored, sealed = sealing.seal(ORG, SOURCE, config(), {})
    rotated = Sealing(Vault(f"{key(b'n')},{key()}"))
    assert shown(rotated.opened(ORG, SOURCE, stored, sealed).api_token) == TOKEN
    with pytest.raises(
        ProblemError, match=r"api token cannot be decrypted any more\. Save it again"
    ):
        Sealing(Vault(key(b"n"))).opened(ORG, SOURCE, stored, sealed)
