"""CloudEvents 1.0 in NATS headers (binary content mode): who, what, when, for whom.

Source: CloudEvents specification 1.0.2 and its NATS protocol binding.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid5

import uuid_utils.compat
from pydantic import ValidationError

from contracts.message import REVEAL, Message, Part, Request

M = TypeVar("M", bound=Part)

_OF_AN_ORGANIZATION = frozenset({"evt", "ext"})
"""Kinds of messages whose subject names the organisation."""

_MESSAGES = UUID("6f1d9a40-5d0f-5f6c-9a55-0d2f0f5e9b11")


class Meta(Part):
    """The attributes around a message's body.

    `org_id` is None for messages of no organisation; `actor` is a user's id, `key:<id>`, or the
    service that spoke on its own account.
    """

    id: UUID
    source: str
    type: str
    time: datetime
    org_id: UUID | None = None
    actor: str = "system"


class MalformedMessage(Exception):
    """The headers or the body are not what the subject promises."""


def new_id() -> UUID:
    """A UUIDv7: unique, and ordered by the time it was made."""
    return uuid_utils.compat.uuid7()


def derived_id(*parts: object) -> UUID:
    """The same parts always give the same UUIDv5, so that saying a thing twice is saying it once."""
    return uuid5(_MESSAGES, "/".join(str(part) for part in parts))


def envelop(
    message: Message,
    *,
    source: str,
    org_id: UUID | None,
    actor: str = "system",
    id: UUID | None = None,
    time: datetime | None = None,
) -> Meta:
    """Attributes for a message about to be sent; `id` defaults to a new UUIDv7."""
    return Meta(
        id=id or new_id(),
        source=source,
        type=message.type_name(),
        time=time or datetime.now(UTC),
        org_id=org_id,
        actor=actor,
    )


def to_headers(meta: Meta) -> dict[str, str]:
    """NATS headers: CloudEvents attributes, and the id by which JetStream drops repeats."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(meta.id),
        "ce-source": meta.source,
        "ce-type": meta.type,
        "ce-time": meta.time.isoformat(),
        "ce-actor": meta.actor,
        "content-type": "application/json",
        "Nats-Msg-Id": str(meta.id),
    }
    if meta.org_id:
        headers["ce-orgid"] = str(meta.org_id)
    return headers


def from_headers(headers: Mapping[str, str] | None, subject: str) -> Meta:
    """Read the attributes and hold them against the subject.

    Raises MalformedMessage when one is missing or broken, when the type is not the subject's, or
    when an event's organisation is not the one its subject names.
    """
    given = headers or {}
    try:
        meta = Meta.model_validate(
            {
                "id": given["ce-id"],
                "source": given["ce-source"],
                "type": given["ce-type"],
                "time": given["ce-time"],
                "org_id": given.get("ce-orgid"),
                "actor": given.get("ce-actor", "system"),
            }
        )
    except (KeyError, ValidationError) as error:
        raise MalformedMessage(f"{subject}: broken CloudEvents headers: {error}") from error
    expected = meta.type
    kind, _, rest = meta.type.partition(".")
    if kind in _OF_AN_ORGANIZATION:
        org = meta.org_id.hex if meta.org_id else "system"
        expected = f"{kind}.{org}.{rest}"
    if subject != expected:
        raise MalformedMessage(f"a message of {expected} arrived on {subject}")
    return meta


def to_body(message: Part) -> bytes:
    """JSON bytes. Secrets are written in clear inside requests and their answers only."""
    reveal = not isinstance(message, Message) or isinstance(message, Request)
    return message.model_dump_json(context=REVEAL if reveal else None).encode()


def from_body(kind: type[M], body: bytes) -> M:
    """Parse a body; raises MalformedMessage with the fields that do not fit."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        raise MalformedMessage(f"{kind.__name__} does not fit at: {where}") from error
