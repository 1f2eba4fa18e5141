"""Settings of the gateway: where files go, how tokens are verified, who may call from a browser."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from chassis.settings import BusSettings


class Settings(BusSettings):
    """What the gateway needs to be told; names as in the public list of settings."""

    object_store_url: str
    jwt_algorithm: Literal["EdDSA", "HS256"] = "EdDSA"
    jwt_secret_key: SecretStr | None = Field(default=None, validate_default=True)
    """The same as auth's; used when `jwt_algorithm` is HS256 and at no other time."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated origins of pages that may call from a browser, beside our own."""
    upload_max_bytes: int = Field(default=1024**3, ge=1)

    @field_validator("jwt_secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("jwt_algorithm") == "HS256" and (
            value is None or len(value.get_secret_value().encode()) < 32
        ):
            raise ValueError("JWT_ALGORITHM=HS256 needs a secret of at least 32 bytes")
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            # With credentials allowed, a wildcard would let any page act for its visitor.
            if not origin.startswith(("http://", "https://")) or "*" in origin:
                raise ValueError(f"'{origin}' is no origin; example: https://app.example.org")
        return value
