"""What a move of a run says, in the forms in which it is kept: run events, outbox, log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.outbox import Outgoing, Row
from chassis.telemetry import log
from contracts.envelope import derived_id
from contracts.message import Event
from orchestrator.domain import RunState
from orchestrator.machine import Moved


def run_events(moved: Moved) -> dict[str, list[Any]]:
    """The run events of a move, by column."""
    events = [
        (version, message.token.rpartition(".")[0], message.model_dump(mode="json"))
        for message in moved.messages
        if isinstance(message, Event) and (version := getattr(message, "version", None))
    ]
    versions, types, data = zip(*events, strict=True) if events else ((), (), ())
    return {"versions": list(versions), "types": list(types), "data": list(data)}


def outbox_rows(said: Sequence[Row]) -> dict[str, list[Any]]:
    """What a move says, by column of the outbox."""
    ids, streams, subjects, headers, bodies = zip(*said, strict=True) if said else ((),) * 5
    return {
        "ids": list(ids),
        "streams": list(streams),
        "subjects": list(subjects),
        "headers": list(headers),
        "bodies": list(bodies),
    }


def outgoing(moved: Moved, org_id: UUID, at: datetime, actor: str, revision: int) -> list[Outgoing]:
    """The machine's messages with ids that follow from the move, never from chance.

    Commands go first: work begins while the news of it is on its way.
    """
    said = [
        Outgoing(
            message,
            org_id,
            actor=actor,
            id=derived_id(moved.state.run_id, revision, index),
            time=at,
        )
        for index, message in enumerate(moved.messages)
    ]
    return sorted(said, key=lambda outgoing: isinstance(outgoing.message, Event))


def tell(old: RunState | None, new: RunState) -> None:
    """One INFO line for each change of status, that a person can follow a run by."""
    if old is not None and old.status == new.status:
        return
    detail = {"error": new.error.detail} if new.error else {}
    log.info(f"run_{new.status}", run_id=str(new.run_id), kind=new.kind, **detail)
