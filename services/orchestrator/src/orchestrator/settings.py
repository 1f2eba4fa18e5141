"""Settings of the orchestrator: runs and steps under way, schedules, deadlines, how much history is kept."""

from pydantic import Field

from chassis.settings import ServiceSettings
from contracts.shares import QUEUED_RUNS


class Settings(ServiceSettings):
    """What an operator may turn."""

    max_active_runs_per_organization: int = Field(default=4, ge=1)
    """Runs of one organisation that may be under way at once; the rest wait in the queue."""
    max_queued_runs_per_organization: int = Field(default=QUEUED_RUNS.each, ge=1)
    """Runs of one organisation that may wait in the queue; starting another is 429."""
    max_syncs_per_organization: int = Field(default=3, ge=1)
    """Syncs of one organisation that may be under way at once: as many as one ingest works on."""
    max_builds_per_organization: int = Field(default=2, ge=1)
    """Builds of one organisation that may be under way at once: as many as one transform works on."""
    schedule_every: float = Field(default=15.0, gt=0)
    """Longest time between two looks for schedules that are due, in seconds."""
    sync_deadline: float = Field(default=6 * 3600.0, gt=0)
    """Seconds that a sync may take with its wait for a worker, from when its organisation has room for
    it; other systems are waited for on top."""
    transform_deadline: float = Field(default=6 * 3600.0, gt=0)
    """Seconds that a build may take with its wait for a worker, from when there is room for it."""
    publish_deadline: float = Field(default=1800.0, gt=0)
    """Seconds that a publish may take; more than transform's `PUBLISH_PATIENCE`."""
    ask_again_after: float = Field(default=120.0, gt=0)
    """Seconds of silence of a run after which the services that work on it are asked again."""
    keep_runs_days: int = Field(default=90, ge=1)
    """Days for which runs that have ended are kept."""
    keep_runs_per_organization: int = Field(default=10_000, ge=1)
    """Runs of one organisation that have ended: the oldest go, but none on its last day."""
    watch_every: float = Field(default=5.0, gt=0)
    """Seconds between two looks for runs that are silent or late."""
