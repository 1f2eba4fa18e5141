"""What a compilation depends on beside the recipe and the tables."""

from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, PrivateAttr, field_validator
from typing_extensions import override


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


class Watched(Context):
    """A context that remembers whether anybody asked for the moment."""

    _asked: bool = PrivateAttr(default=False)

    @classmethod
    def of(cls, context: Context) -> "Watched":
        """The same moment and zone."""
        return cls.model_construct(as_of=context.as_of, timezone=context.timezone)

    @property
    def asked(self) -> bool:
        """Whether what was compiled depends on the moment."""
        return self._asked

    @override
    def __getattribute__(self, name: str) -> object:
        # `now` comes by here too: it reads `as_of`.
        if name == "as_of":
            self._asked = True
        return super().__getattribute__(name)
