"""Settings of the orchestrator: how many runs may be under way, how often schedules are looked at."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What an operator may turn."""

    max_active_runs_per_organization: int = Field(default=4, ge=1)
    """Runs of one organisation that may be under way at once; the rest wait in the queue."""
    schedule_every: float = Field(default=15.0, gt=0)
    """Longest time between two looks for schedules that are due, in seconds."""
