"""Settings of the gateway: where files go, how tokens are verified, who may call from a browser."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from chassis.settings import BusSettings
from contracts.shares import EVENTS, REQUESTS_OF_ADDRESS, REQUESTS_OF_ORGANIZATION, RUN_STARTS


class Settings(BusSettings):
    """What the gateway needs to be told; names as in the public list of settings."""

    object_store_url: str
    """Where files are kept: `file://` a directory that all services see, or `s3://` a bucket."""
    jwt_algorithm: Literal["EdDSA", "HS256"] = "EdDSA"
    """How access tokens are signed; the same for auth and gateway."""
    jwt_secret_key: SecretStr | None = Field(default=None, validate_default=True)
    """With HS256 the secret, the same for auth and gateway, of 32 bytes at least; else unused."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated origins of pages that may call from a browser, beside our own."""
    upload_max_bytes: int = Field(default=1024**3, ge=1)
    """The largest file that may be uploaded."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated addresses and networks of reverse proxies whose `X-Forwarded-For` and
    `X-Forwarded-Proto` count; of others they are ignored."""
    http_drain_delay: float = Field(default=5.0, ge=0)
    """Five seconds, for the gateway is what a load balancer stands before; `dalgo up` sets 0."""
    gateway_replicas: int = Field(default=1, ge=1)
    """Gateways that serve at once: each takes its part of the next two limits."""
    requests_per_minute_of_address: int = Field(default=REQUESTS_OF_ADDRESS.limit, ge=1)
    """Requests from one network address, over all gateways; so many at once after a pause, then 429."""
    requests_per_minute_of_organization: int = Field(default=REQUESTS_OF_ORGANIZATION.limit, ge=1)
    """The same of one organisation."""
    events_per_minute: int = Field(default=EVENTS.limit, ge=100)
    """Events of one organisation by `POST /events`, over all gateways; a batch of 100 must fit."""
    run_starts_per_minute: int = Field(default=RUN_STARTS.limit, ge=1)
    """Runs that one organisation starts, retries too, over all gateways; twice as many may be
    cancelled."""

    @field_validator("jwt_secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("jwt_algorithm") == "HS256" and (
            value is None or len(value.get_secret_value().encode()) < 32
        ):
            raise ValueError("JWT_ALGORITHM=HS256 needs a secret of at least 32 bytes")
        return value

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(
                    f"'{proxy}' is neither an address nor a network; example: 10.0.0.0/8"
                ) from error
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            # With credentials allowed, a wildcard would let any page act for its visitor.
            if not origin.startswith(("http://", "https://")) or "*" in origin:
                raise ValueError(f"'{origin}' is no origin; example: https://app.example.org")
        return value
