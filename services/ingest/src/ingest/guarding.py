"""The guard before a version is told: what changed is taken, held for a person, or fails the sync."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import SecretStr

from chassis.bus import Bus
from chassis.telemetry import log
from contracts.drift import ChangeDetail, ChangeStatus, ColumnUser, SchemaChange
from contracts.ingest import Source, SourceConfig, SyncSource
from contracts.orchestrator import FindPipelineUsers
from contracts.problem import problem
from contracts.tables import Notice, TableVersion
from contracts.transform import FindColumnUsers
from ingest.changes import Changes
from ingest.drift import Finding, compare, described, is_shrunken, lost, status, summary
from ingest.readers import Loaded, Stays

PATIENCE = 300.0
"""Seconds for compiling the recipes that read a table, time and again."""

_NOT_SHAPE = {"upload_id", "mode", "on_schema_change", "shrink_guard"}
"""Fields of a config that do not say which columns there are: data, and what becomes of it."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of new versions."""

    held: str | None = None
    """Why they are not to be told, in words."""
    notices: tuple[Notice, ...] = ()
    settles: bool = False
    """Nothing differs from what is published: changes of before stand no more with the outcome."""
    shape: str | None = None
    """Then, of the version that was loaded."""

    @property
    def stays(self) -> Stays | None:
        """What is published, where that is so because something is held."""
        return None if self.held is None else Stays(self.held, self.notices)


class Guard:
    """Compares what was loaded with what readers see."""

    def __init__(self, bus: Bus, changes: Changes) -> None:
        self._bus = bus
        self._changes = changes

    async def look(
        self, org_id: UUID, command: SyncSource, source: Source, loaded: Loaded | None, actor: str
    ) -> Verdict:
        """Judge new versions of a source, all of them together; `loaded` None: there is no news.

        Nothing is held of a table of which nothing is published. Raises a 422 problem
        `schema_changed` where the source's policy is to fail.
        """
        if loaded is None:
            return Verdict(settles=True)
        config, shape = source.config, shape_of(source.config)
        findings = list(_findings(command, loaded, config.shrink_guard))
        if not findings:
            return Verdict(settles=True, shape=shape)
        is_asked = await self._is_reshaped(org_id, command, shape)
        if not is_asked and config.on_schema_change != "accept":
            findings = [
                await self._with_users(org_id, source.id, finding, loaded, actor)
                for finding in findings
            ]

        def judge(finding: Finding, before: ChangeStatus | None) -> ChangeStatus:
            return status(finding, before, config.on_schema_change, is_asked=is_asked)

        changes = await self._changes.keep(
            org_id, command, shape, findings, config.shrink_guard, judge
        )
        held = [change for change in changes if change.status in ("pending", "rejected")]
        if not held:
            return Verdict(notices=tuple(map(_notice, changes)))
        log.info("version_held", source_id=str(source.id), changes=[one.number for one in held])
        if config.on_schema_change == "fail" and any(one.kind == "drift" for one in held):
            said = f"The source has changed: {summary(held)}, or mend the source."
            raise problem(422, "schema_changed", said)
        return Verdict(held=f"held: {summary(held)}")

    async def _is_reshaped(self, org_id: UUID, command: SyncSource, shape: str) -> bool:
        """Whether the config was changed since what is published was loaded."""
        published = next(iter(_published(command).values()))
        before = await self._changes.shape_of(org_id, command.source_id, published.version_id)
        return before is not None and before != shape

    async def _with_users(
        self, org_id: UUID, source_id: UUID, finding: Finding, loaded: Loaded, actor: str
    ) -> Finding:
        """The finding with the recipes that use what is lost, and the pipelines that run them."""
        names = lost(finding.detail)
        if not names:
            return finding
        columns = next(t.columns for t in loaded.tables if t.table_id == finding.table_id)
        asked = FindColumnUsers(table_id=finding.table_id, changed=names, columns=columns)
        found = await self._bus.ask(asked, org_id=org_id, actor=actor, timeout=PATIENCE)
        pipelines = await self._pipelines(org_id, source_id, found.users, actor)
        update = {"used_by": found.users, "pipelines": pipelines}
        return replace(finding, detail=finding.detail.model_copy(update=update))

    async def _pipelines(
        self, org_id: UUID, source_id: UUID, users: tuple[ColumnUser, ...], actor: str
    ) -> tuple[str, ...]:
        names: set[str] = set()
        for target_id in (source_id, *(user.transformation_id for user in users)):
            asked = FindPipelineUsers(target_id=target_id)
            names.update((await self._bus.ask(asked, org_id=org_id, actor=actor)).names)
        return tuple(sorted(names))


def shape_of(config: SourceConfig) -> str:
    """Equal for configs that read the same data into the same columns (SHA-256, hex).

    What is as by default is left out: a field that a newer version adds changes no digest.
    """
    secrets = {name for name, value in config if isinstance(value, SecretStr)}
    content = config.model_dump_json(exclude=_NOT_SHAPE | secrets, exclude_defaults=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _findings(command: SyncSource, loaded: Loaded, percent: int) -> Iterator[Finding]:
    published = _published(command)
    for new in loaded.tables:
        old = published.get(new.table_id)
        if old is None:
            continue
        name = loaded.names.get(new.table_id, "")
        detail = compare(old.columns, new.columns)
        if detail != ChangeDetail():
            yield Finding(new.table_id, name, "drift", detail, was_empty=old.rows == 0)
        if is_shrunken(old.rows, new.rows, percent):
            rows = ChangeDetail(old_rows=old.rows, new_rows=new.rows)
            yield Finding(new.table_id, name, "shrinkage", rows)


def _published(command: SyncSource) -> dict[UUID, TableVersion]:
    own = (command.published,) if command.published else ()
    return {version.table_id: version for version in (*own, *command.other_published)}


def _notice(change: SchemaChange) -> Notice:
    said = described(change, change.table_name)
    return Notice(code="schema_changed", message=f"{said[:1].upper()}{said[1:]}.")
