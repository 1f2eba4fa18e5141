"""Settings: what is missing or malformed is told by name."""

import pytest
from pydantic import ValidationError

from auth.settings import Settings

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NEEDED = {"nats_url": "nats://x", "database_url": "postgresql://x", "encryption_key": KEY}


def wrong(**given: str) -> set[str]:
    """Names of the settings that are refused."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(NEEDED | given)
    return {str(error["loc"][0]) for error in raised.value.errors()}


def test_tokens_live_as_long_as_the_page_says():
    settings = Settings.model_validate(NEEDED)
    assert settings.access_token_expire_minutes == 15
    assert settings.refresh_token_expire_days == 7


@pytest.mark.parametrize("key", ["short", "c2hvcnQ=", f"{KEY},c2hvcnQ="])
def test_an_encryption_key_of_another_length_is_refused(key):
    assert wrong(encryption_key=key) == {"encryption_key"}


def test_a_shared_secret_is_needed_for_hs256_and_must_be_long():
    assert wrong(jwt_algorithm="HS256") == {"jwt_secret_key"}
    assert wrong(jwt_algorithm="HS256", jwt_secret_key="short") == {"jwt_secret_key"}
    assert Settings.model_validate(NEEDED | {"jwt_secret_key": "short"}).jwt_algorithm == "EdDSA"


def test_an_algorithm_that_nobody_verifies_is_refused():
    assert wrong(jwt_algorithm="none") == {"jwt_algorithm"}


def test_a_private_key_that_is_none_is_refused():
    assert wrong(jwt_private_key="-----BEGIN NOTHING-----") == {"jwt_private_key"}
