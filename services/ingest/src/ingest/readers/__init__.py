"""What ingest needs to know of every kind of source: one Reader for each, and what they say."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import SecretStr

from contracts.ingest import SourceConfig, SourcePreview
from contracts.problem import problem
from contracts.tables import Column, Notice, TableVersion
from ingest.connectors import BadSource, InferredColumn, Unavailable
from ingest.external.waiting import Wait
from ingest.jobs import LoadResult, Progress, Schema

C = TypeVar("C", bound=SourceConfig)

MaskKeys = Callable[[UUID], SecretStr]
"""Gives an organisation's key of masks."""


@dataclass(frozen=True)
class Asked(Generic[C]):
    """A source as its reader sees it; the config's secrets are open."""

    org_id: UUID
    source_id: UUID
    config: C
    timezone: str = "UTC"
    """The organisation's, IANA."""


@dataclass(frozen=True)
class ExpectedTable:
    """A table that a source fills, before there is data. `name` is empty for the source's own."""

    table_id: UUID
    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Inspected:
    """What a source would give: its own table first, then others."""

    tables: tuple[ExpectedTable, ...]
    warnings: tuple[Notice, ...]
    settled: Mapping[str, object] = field(default_factory=dict)
    """Fields of the config that it left open, as they are to be kept."""


@dataclass(frozen=True)
class Sync(Generic[C]):
    """One sync of one source, under its lease."""

    asked: Asked[C]
    published: dict[UUID, TableVersion]
    """What readers see now, by table."""
    force: bool
    timezone: str
    schema: Schema
    """Where the organisation's versions are written, and as whom."""
    files: Sequence[Mapping[str, object]]
    """The source's uploads (`source_files.files_in`)."""
    begin: Callable[[], Awaitable[UUID]]
    """Id of a new version; it is remembered, and dropped unless the sync succeeds."""
    names: dict[UUID, str]
    """Of the source's other tables, as they were known before."""
    wait: Callable[[str, int, timedelta], Awaitable[Wait]]
    """Lay the step down until an announcement of a table later than a number, for so long at most.

    Unless the wait is over the reader then raises chassis.jobs.Stopped: the step comes again.
    """
    tell: Callable[[Progress], None]
    """Says how far the sync has come."""

    @property
    def own(self) -> TableVersion | None:
        """What readers see of the source's own table."""
        return self.published.get(self.asked.source_id)

    @property
    def known(self) -> tuple[str, ...] | None:
        """Display names of the columns that readers see now; None before the first publish."""
        if not self.published:
            return None
        return tuple(one.name for version in self.published.values() for one in version.columns)


@dataclass(frozen=True)
class Loaded:
    """New versions of a source's tables, its own first; what is not among them stays as it is."""

    tables: tuple[TableVersion, ...]
    names: dict[UUID, str]
    """Of the other tables, as shown behind the source's name."""
    warnings: tuple[Notice, ...]


@dataclass(frozen=True)
class Stays:
    """What is published stays, and not because the source still says the same."""

    reason: str
    warnings: tuple[Notice, ...]


class Reader(Protocol[C]):
    """Reads one kind of source. Every call raises BadSource, Unavailable and ProblemError."""

    async def inspect(self, asked: Asked[C]) -> Inspected:
        """The columns that the source has; nothing is written."""
        ...

    async def preview(self, asked: Asked[C], limit: int) -> SourcePreview:
        """The first rows as they would arrive; nothing is written."""
        ...

    async def sync(self, sync: Sync[C]) -> Loaded | Stays | None:
        """Write new versions; None when what is published is what the source still says."""
        ...

    async def forget(self, asked: Asked[C]) -> None:
        """Remove what is stored for a source that is being deleted; may be repeated."""
        ...


Readers = Mapping[str, Reader[Any]]
"""By source type."""


@contextmanager
def in_words() -> Iterator[None]:
    """What is wrong with a source becomes a problem: 422, or 503 where another try may help."""
    try:
        yield
    except BadSource as error:
        raise problem(422, error.code, error.message) from error
    except Unavailable as error:
        raise problem(503, error.code, error.message) from error


def columns_of(found: tuple[InferredColumn, ...]) -> tuple[Column, ...]:
    """Columns in the words of the contracts."""
    return tuple(column.as_column() for column in found)


def version_of(table_id: UUID, version_id: UUID, loaded: LoadResult) -> TableVersion:
    """A version that was written, as it is told to others."""
    return TableVersion(
        table_id=table_id,
        version_id=version_id,
        relation=loaded.relation,
        columns=columns_of(loaded.columns),
        rows=loaded.rows,
        bytes=loaded.bytes,
        fingerprint=loaded.fingerprint,
        nullable=tuple(column.display_name for column in loaded.columns if column.nullable),
    )
