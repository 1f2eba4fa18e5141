"""CloudEvents as HTTP brings them: one in the body, one in the headers, or a batch.

Source: CloudEvents 1.0.2, its JSON format (sections 3 and 4) and its HTTP protocol binding.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from contracts.envelope import Meta, derived_id, to_body
from contracts.message import Outside, registered
from contracts.problem import FieldProblem, ProblemError, problem
from contracts.streams import SERVICES

MOST = 100
"""Events of a batch."""

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_KNOWN = {kind.outside_type(): kind for kind in registered() if issubclass(kind, Outside)}
TAKEN = tuple(sorted(kind.outside_type() for entry in SERVICES for kind in entry.hears))
"""Types that a service acts on; outsiders read none of the stream, so no others are stored."""

_Printable = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[!-~]+$")]


class CloudEvent(BaseModel):
    """One event. Extension attributes are let in and go no further."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1, max_length=500)]
    """With `source` it names the event: told twice, it counts once."""
    source: _Printable
    type: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
    time: AwareDatetime | None = None
    data: Any = None
    data_base64: Annotated[None, Field(description="Not taken: send JSON in `data`.")] = None

    def meta(self, org_id: UUID, actor: str) -> Meta:
        """The envelope under which it goes on; whose it is, is not the event's to say."""
        return Meta(
            id=derived_id("outside", org_id, self.source, self.id),
            source=self.source,
            type=f"{Outside.kind}.{self.type}",
            time=self.time or datetime.now(UTC),
            org_id=org_id,
            actor=actor,
        )


def read(headers: Mapping[str, str], body: bytes) -> list[tuple[CloudEvent, bytes]]:
    """The events of a request, each with its data as JSON.

    Raises RequestValidationError, and ProblemError 400, 415 and 422.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _BATCH:
        given = _json(body)
        if not isinstance(given, list) or len(given) > MOST:
            raise problem(422, "invalid_request", f"A batch is a list of {MOST} events at most.")
        return [_event(one, place) for place, one in enumerate(given)]
    if kind == _STRUCTURED:
        return [_event(_json(body))]
    if "ce-specversion" not in headers:
        raise problem(
            415,
            "not_a_cloud_event",
            f"Send an event as {_STRUCTURED}, several as {_BATCH}, or the data as application/json "
            "with the attributes in headers (ce-specversion, ce-id, ce-source, ce-type).",
        )
    if body and not (kind == "application/json" or kind.endswith("+json")):
        raise problem(
            415, "data_not_json", f"The event's data is {kind or 'of no type'}: send JSON."
        )
    attributes = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    return [_event(attributes | {"data": _json(body) if body else None})]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise problem(
            400, "malformed_json", "The body is not JSON. Check quotes and commas."
        ) from error


def _event(given: Any, *place: int) -> tuple[CloudEvent, bytes]:
    try:
        event = CloudEvent.model_validate(given)
    except ValidationError as error:
        raise _invalid(error, *place) from error
    return event, _data(event, *place)


def _data(event: CloudEvent, *place: int) -> bytes:
    """An event's data, checked, without what its type does not know."""
    kind = _KNOWN.get(event.type)
    if kind is None or event.type not in TAKEN:
        raise _unknown(event, *place)
    try:
        return to_body(kind.model_validate(event.data))
    except ValidationError as error:
        raise _invalid(error, *place, "data") from error


def _unknown(event: CloudEvent, *place: int) -> ProblemError:
    said = (
        f"Event '{event.id}' is of the type '{event.type}', which no service acts on. "
        f"The types are {' and '.join(TAKEN)}."
    )
    field = ".".join(map(str, (*place, "type")))
    entry = FieldProblem(field=field, code="unknown_type", message=said, alternatives=TAKEN)
    return problem(422, "unknown_event_type", said, (entry,))


def _invalid(error: ValidationError, *place: str | int) -> RequestValidationError:
    found = [entry | {"loc": ("body", *place, *entry["loc"])} for entry in error.errors()]
    return RequestValidationError(found)
