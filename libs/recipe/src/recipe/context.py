"""What a compilation depends on beside the recipe and the tables."""

from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, field_validator


class Context(BaseModel):
    """The moment that "now" means, and the organisation's time zone (an IANA name)."""

    model_config = ConfigDict(frozen=True)

    as_of: AwareDatetime
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError) as unknown:
            raise ValueError(f"there is no time zone {name!r}") from unknown
        return name

    @cached_property
    def zone(self) -> ZoneInfo:
        """The organisation's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def now(self) -> datetime:
        """The wall clock of the organisation at `as_of`, without a zone."""
        return self.as_of.astimezone(self.zone).replace(tzinfo=None)
