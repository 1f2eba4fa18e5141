"""Settings of transform: what builds may take, times in seconds, where other systems log in."""

from pydantic import Field, SecretStr

from chassis.settings import ServiceSettings
from contracts.shares import BUILD_BYTES, BUILD_ROWS, BUILD_TIME, BUILDS, FORMER_BYTES, TEMP_BYTES
from warehouse.loaders import OF_SERVICES


class Settings(ServiceSettings):
    """What an operator may turn; all times in seconds."""

    database_pool_size: int = Field(default=16, ge=2, le=50)
    """Long reads hold 6 (LONG_READS), builds one each; short requests always find one of the others."""
    mask_key: SecretStr = Field(min_length=16)
    """What masks that hash are keyed with, the same for ingest and transform; with another one hashes
    match older ones no more."""
    max_builds: int = Field(default=BUILDS.total, ge=1)
    """Builds that one replica runs at once; each holds a connection of the pool while it runs. An
    organisation gets all but one of them."""
    build_timeout: float = Field(default=BUILD_TIME.each, gt=0)
    """Seconds: a build that takes longer is stopped and has failed."""
    build_max_rows: int = Field(default=BUILD_ROWS.each, ge=1)
    """A build that makes more rows has failed."""
    build_max_bytes: int = Field(default=BUILD_BYTES.each, ge=1)
    """A build whose table grows larger is stopped and has failed."""
    max_temp_bytes: int = Field(default=TEMP_BYTES.each, ge=1024)
    """A statement of a recipe (build, preview, profile) that writes more temporary files is stopped;
    counted for each process of PostgreSQL that works on it."""
    preview_timeout: float = Field(default=8, gt=0)
    """Seconds: a preview whose SQL takes longer is stopped; its request ends after 10."""
    compile_seconds: float = Field(default=5, gt=0)
    """Seconds of CPU time in which a recipe is checked or compiled for a person; builds have four times that."""
    publish_patience: float = Field(default=600, gt=0)
    """Seconds for which a publish waits for readers and others that lock one of its tables."""
    loader_address: str | None = Field(default=None, pattern=r"^[^/@\s]+:\d{1,5}$")
    """`host:port` by which [loaders](external-sources.md) reach the database; by default as in
    `DATABASE_URL`."""
    service_connections: int = Field(default=OF_SERVICES, ge=1)
    """Connections of the server that [loaders](external-sources.md) leave to the services: some 25 for each
    replica of all, and those of other programs. What all loaders may hold stays below `max_connections`
    less this."""
    former_versions: int = Field(default=1, ge=0)
    """So many former versions of each table are kept, to go back to."""
    version_budget_bytes: int = Field(default=FORMER_BYTES.each, ge=0)
    """What an organisation's former versions take at most, the oldest going first; 0: none stay."""
    outdated_grace: float = Field(default=60, ge=0)
    """Seconds for which a version is left alone after it was superseded: a run that is being planned, or
    a reader, may have chosen it a moment before."""
    version_grace: float = Field(default=3600, ge=0)
    """Seconds for which a version that was never published is left to a retry of its run."""
    sweep_every: float = Field(default=900, gt=0)
    """Seconds between two looks at the versions of all organisations; one that has published is looked at
    sooner."""
