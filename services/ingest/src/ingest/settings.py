"""Settings of ingest: how many files are read at once, and how much memory each may take."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from chassis.crypto import Vault
from chassis.settings import ServiceSettings
from contracts.shares import UPLOAD_BYTES


class Settings(ServiceSettings):
    """What an operator may turn."""

    database_pool_size: int = Field(default=16, ge=2, le=50)
    """More than syncs and looks hold at once, so that heartbeats and short requests find a connection."""
    object_store_url: str
    """Where files are kept: `file://` a directory that all services see, or `s3://` a bucket."""
    encryption_key: SecretStr
    """Keys for secrets at rest: base64 of 32 bytes each, comma-separated; the first encrypts, all decrypt."""
    mask_key: SecretStr = Field(min_length=16)
    """What masks that hash are keyed with, the same for ingest and transform; with another one hashes
    match older ones no more."""
    google_credentials_json: SecretStr | None = None
    """The JSON key of a service account, for sources that have none of their own."""
    google_sheets_url: str = "https://sheets.googleapis.com"
    """Google's Sheets API."""
    google_token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105
    """The one place where a key may be used; a key that names another is refused."""
    max_syncs: int = Field(default=4, ge=1)
    """Syncs of this replica at once, one of them out of each organisation's reach; each is a process."""
    max_reads: int = Field(default=4, ge=1)
    """Files that this replica looks into at once for people who wait; two for one organisation."""
    max_outside_reads: int = Field(default=8, ge=1)
    """The same of forms and spreadsheets on other servers; six are out of an organisation's reach."""
    warm_workers: int = Field(default=1, ge=0)
    """Processes that wait with dlt imported, which takes 1.5 s."""
    look_every: float = Field(default=2.0, gt=0)
    """Seconds between two looks for syncs that have waited for another system long enough."""
    tidy_every: float = Field(default=30.0, gt=0)
    """Seconds between two looks for sources whose making or deleting was interrupted."""
    unused_uploads_grace: float = Field(default=86_400.0, gt=0)
    """Seconds after which an upload of which no source is made is deleted."""
    upload_budget_bytes: int = Field(default=UPLOAD_BYTES.each, ge=1)
    """Bytes of uploaded files that one organisation may have stored."""
    kobo_allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated origins of KoboToolbox servers that need be neither public nor encrypted."""

    @field_validator("kobo_allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("kobo_allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not origin.startswith(("http://", "https://")) or "*" in origin:
                raise ValueError(f"'{origin}' is no origin; example: https://kobo.example.org")
        return value

    @field_validator("google_credentials_json")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and '"service_account"' not in value.get_secret_value():
            raise ValueError("it is not the JSON key of a service account (the file's content)")
        return value

    @field_validator("encryption_key")
    @classmethod
    def _opens_the_vault(cls, value: SecretStr) -> SecretStr:
        Vault(value.get_secret_value())
        return value
