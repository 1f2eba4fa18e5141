"""Settings of auth: how long tokens live, who signs them, what encrypts keys at rest."""

from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from chassis.crypto import Vault
from chassis.settings import ServiceSettings
from contracts.shares import FAILED_LOGINS, PASSWORD_HASHES, RENEWALS, SIGNUPS


class Settings(ServiceSettings):
    """What auth needs to be told; names as in the public list of settings."""

    encryption_key: SecretStr
    """Keys for secrets at rest: base64 of 32 bytes each, comma-separated; the first encrypts, all decrypt."""
    jwt_algorithm: Literal["EdDSA", "HS256"] = "EdDSA"
    """How access tokens are signed; the same for auth and gateway."""
    jwt_secret_key: SecretStr | None = Field(default=None, validate_default=True)
    """With HS256 the secret, the same for auth and gateway, of 32 bytes at least; else unused."""
    jwt_private_key: SecretStr | None = None
    """PEM (PKCS #8) of the Ed25519 key that becomes the first signing key; else one is made."""
    access_token_expire_minutes: int = Field(default=15, ge=1, le=1440)
    """How long an access token is valid."""
    refresh_token_expire_days: int = Field(default=7, ge=1, le=365)
    """How long a session may be renewed after it was last."""
    signup: Literal["open", "closed"] = "open"
    """Whether anybody may sign up and make an organisation."""
    password_hashing_threads: int = Field(default=PASSWORD_HASHES.total, ge=1, le=64)
    """Hashes at once; each takes a core and 19 MiB for some 30 ms. An address has half of them."""
    signups_per_hour: int = Field(default=SIGNUPS.limit, ge=1)
    """Sign-ups from one network address, so many at once after a pause; over all replicas, like the next
    two."""
    failed_logins_per_hour: int = Field(default=FAILED_LOGINS.limit, ge=1)
    """Logins that fail from one network address, whatever the e-mail addresses."""
    renewals_per_hour: int = Field(default=RENEWALS.limit, ge=1)
    """Sessions that are renewed or ended from one network address."""

    @field_validator("encryption_key")
    @classmethod
    def _opens_the_vault(cls, value: SecretStr) -> SecretStr:
        Vault(value.get_secret_value())
        return value

    @field_validator("jwt_secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("jwt_algorithm") == "HS256" and (
            value is None or len(value.get_secret_value().encode()) < 32
        ):
            # RFC 7518, section 3.2: a key at least as long as the hash.
            raise ValueError("JWT_ALGORITHM=HS256 needs a secret of at least 32 bytes")
        return value

    @field_validator("jwt_private_key")
    @classmethod
    def _is_ed25519(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            key = load_pem_private_key(value.get_secret_value().encode(), password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ValueError(
                    "an Ed25519 private key is needed: openssl genpkey -algorithm ed25519"
                )
        return value
