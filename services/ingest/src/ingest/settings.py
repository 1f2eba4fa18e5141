"""Settings of ingest: how many files are read at once, and how much memory each may take."""

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What an operator may turn."""

    object_store_url: str
    max_syncs: int = Field(default=2, ge=1)
    """Syncs of this replica at once; each is a process of its own."""
    warm_workers: int = Field(default=1, ge=0)
    """Processes that wait with dlt imported, which takes 1.5 s."""
