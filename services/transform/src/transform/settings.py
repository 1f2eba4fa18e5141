"""Settings of transform: builds at once, times in seconds, where other systems log in."""

from pydantic import Field, SecretStr

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What an operator may turn; all times in seconds."""

    database_pool_size: int = Field(default=16, ge=2, le=50)
    """Long reads hold 6 (READS), builds one each; short requests always find one of the others."""
    mask_key: SecretStr = Field(min_length=16)
    """What masks that hash are keyed with; another one, and hashes match older ones no more."""
    max_builds: int = Field(default=2, ge=1)
    """Builds that one replica runs at once; each holds a connection of the pool while it runs."""
    preview_timeout: float = Field(default=8, gt=0)
    """A preview whose SQL takes longer is stopped; whoever asks gives up after 10."""
    compile_seconds: float = Field(default=5, gt=0)
    """CPU time in which a recipe is checked or compiled for a person; builds have four times that."""
    publish_patience: float = Field(default=600, gt=0)
    """For so long a publish waits for whoever locks one of its tables."""
    loader_address: str | None = Field(default=None, pattern=r"^[^/@\s]+:\d{1,5}$")
    """`host:port` by which other systems reach the database; None: as in `database_url`."""
    former_versions: int = Field(default=1, ge=0)
    """So many former versions of each table are kept, to go back to."""
    version_budget_bytes: int = Field(default=5 * 1024**3, ge=0)
    """What an organisation's former versions take at most, the oldest going first; 0: none stay."""
    outdated_grace: float = Field(default=60, ge=0)
    """For so long a version is left alone after it was superseded: a run that is being planned, or
    somebody who reads, may have chosen it a moment before."""
    version_grace: float = Field(default=3600, ge=0)
    """For so long a version that was never published is left to a retry of its run."""
    sweep_every: float = Field(default=900, gt=0)
    """Between two looks at all organisations; one that has published is looked at sooner."""
