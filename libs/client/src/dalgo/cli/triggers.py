"""`dalgo pipelines triggers` and `dalgo pipelines firings`."""

from functools import cached_property
from typing import Annotated
from uuid import UUID

import typer

from contracts.orchestrator import AfterPipeline, Cause, OnUpload, Overlap, Pipeline, TriggerRule
from dalgo.cli import output, sources
from dalgo.cli.naming import pipeline_named
from dalgo.cli.options import Json, connect
from dalgo.client import Dalgo

Name = Annotated[str, typer.Argument(metavar="PIPELINE", help="Name or id.")]
Pipelines = list[str] | None


def triggers(
    ctx: typer.Context,
    pipeline: Name,
    after: Annotated[
        Pipelines,
        typer.Option(metavar="PIPELINE", help="When this one has succeeded; may be repeated."),
    ] = None,
    after_change: Annotated[
        Pipelines,
        typer.Option(metavar="PIPELINE", help="When this one has published something new."),
    ] = None,
    on_upload: Annotated[
        bool, typer.Option("--on-upload", help="When a source of it got a new file.")
    ] = False,
    on_upload_of: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="When this source did; may be repeated."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Nothing does any more.")] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Let no run wait while another still runs.")
    ] = False,
    paused: Annotated[bool, typer.Option("--paused", help="Keep them, but do not run.")] = False,
    as_json: Json = False,
) -> None:
    """Say what sets a pipeline off, in place of what did; without an option, show it."""
    given = bool(after or after_change or on_upload or on_upload_of)
    if (given and none) or ((skip or paused) and not given):
        raise typer.BadParameter(
            "Name triggers (--after, --after-change, --on-upload, --on-upload-of), or --none."
        )
    overlap: Overlap = "skip" if skip else "queue"
    with connect(ctx) as dalgo:
        found = pipeline_named(dalgo, pipeline)
        if given or none:
            rules: list[TriggerRule] = [
                AfterPipeline(
                    type="pipeline",
                    pipeline_id=pipeline_named(dalgo, name).id,
                    only_if_changed=only_if_changed,
                    is_active=not paused,
                    overlap=overlap,
                )
                for names, only_if_changed in ((after, False), (after_change, True))
                for name in names or ()
            ]
            of = [sources.named(dalgo, name).id for name in on_upload_of or ()]
            rules += [
                OnUpload(type="upload", source_id=source_id, is_active=not paused, overlap=overlap)
                for source_id in ([None] if on_upload else []) + of
            ]
            found = dalgo.pipelines.triggers(found.id, rules)
        if as_json:
            output.as_json(list(found.triggers))
        else:
            _show(found, _Names(dalgo))


def firings(ctx: typer.Context, pipeline: Name, as_json: Json = False) -> None:
    """List the last times at which a pipeline was due or set off, and what came of each."""
    with connect(ctx) as dalgo:
        found = dalgo.pipelines.firings(pipeline_named(dalgo, pipeline).id)
        if as_json:
            output.as_json(found)
            return
        names = _Names(dalgo)
        rows = [
            (one.scheduled_for, names.cause(one.cause), one.run_id, one.reason) for one in found
        ]
    output.table(("due", "cause", "run", "reason"), rows)


class _Names:
    """What ids mean to a person; asked for when one is to be shown."""

    def __init__(self, dalgo: Dalgo) -> None:
        self._dalgo = dalgo

    @cached_property
    def _pipelines(self) -> dict[UUID, str]:
        return {each.id: each.name for each in self._dalgo.pipelines.list()}

    @cached_property
    def _sources(self) -> dict[UUID, str]:
        return {each.id: each.name for each in self._dalgo.sources.list()}

    def pipeline(self, pipeline_id: UUID) -> str:
        """A pipeline's name; of one that is gone, its id."""
        return f"'{self._pipelines.get(pipeline_id, pipeline_id)}'"

    def source(self, source_id: UUID) -> str:
        """A source's name; of one that is gone, its id."""
        return f"'{self._sources.get(source_id, source_id)}'"

    def cause(self, cause: Cause | None) -> str:
        """Why a pipeline was to run."""
        if cause is None:
            return "schedule"
        if cause.pipeline_id is not None:
            return f"{self.pipeline(cause.pipeline_id)} succeeded"
        if cause.source_id is not None:
            return f"new file of {self.source(cause.source_id)}"
        return f"event from {cause.event_source}"


def _show(pipeline: Pipeline, names: _Names) -> None:
    if not pipeline.triggers:
        typer.echo(f"Nothing sets '{pipeline.name}' off but its schedule and people.")
        return
    typer.echo(f"'{pipeline.name}' runs")
    for rule in pipeline.triggers:
        if isinstance(rule, AfterPipeline):
            does = "has published something new" if rule.only_if_changed else "has succeeded"
            when = f"when {names.pipeline(rule.pipeline_id)} {does}"
        else:
            which = "any of its sources" if rule.source_id is None else names.source(rule.source_id)
            when = f"when {which} got a new file"
        notes = (", unless it runs" if rule.overlap == "skip" else "") + (
            "" if rule.is_active else " (paused)"
        )
        typer.echo(f"  {when}{notes}")
