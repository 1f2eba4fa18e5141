"""Settings of the orchestrator: how many runs of one organisation may be under way."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What an operator may turn."""

    max_active_runs_per_organization: int = Field(default=4, ge=1)
    """Runs of one organisation that may be under way at once; the rest wait in the queue."""
