"""Settings of transform: builds at once, and three times in seconds."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What an operator may turn; all times in seconds."""

    max_builds: int = Field(default=2, ge=1)
    """Builds that one replica runs at once; each holds a connection of the pool while it runs."""
    preview_timeout: float = Field(default=8, gt=0)
    """A preview whose SQL takes longer is stopped; whoever asks gives up after 10."""
    publish_patience: float = Field(default=600, gt=0)
    """For so long a publish waits for whoever locks one of its tables."""
    version_grace: float = Field(default=3600, ge=0)
    """For so long an outdated version is left to the runs that may still read it."""
