"""Messages: what follows from a class, and what the envelope lets through."""

from datetime import UTC, datetime
from types import new_class
from typing import get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts import auth, ingest, orchestrator, outside, transform
from contracts.envelope import (
    MalformedMessage,
    derived_id,
    envelop,
    from_body,
    from_headers,
    new_id,
    to_body,
    to_headers,
)
from contracts.message import (
    REVEAL,
    Command,
    Done,
    Event,
    Message,
    Part,
    Request,
    Secret,
    lookup,
    registered,
)

MODULES = (auth, ingest, orchestrator, transform)
OWNERS = {module.__name__: module.__name__.rpartition(".")[2] for module in MODULES}
DEFINED = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, Message)
    and kind.__module__ == module.__name__
    and not kind.__pydantic_generic_metadata__["origin"]
]

ORG, OTHER = UUID(int=1), UUID(int=2)


class PasswordTold(Event):
    """An event with a secret, as nobody should write one."""

    password: Secret


class TableRead(Request[Done]):
    """A request with a secret."""

    password: Secret


class Token(Part):
    """A part of an answer with a secret."""

    token: Secret


class CSVFileRead(Command):
    """A name with an abbreviation."""


class CSVFileReadV2(Command):
    """Its second version."""


@pytest.mark.parametrize("kind", DEFINED, ids=lambda kind: kind.__name__)
def test_a_message_knows_its_kind_its_owner_and_its_subject(kind: type[Message]) -> None:
    assert kind.owner == OWNERS[kind.__module__]
    assert kind.type_name() == f"{kind.kind}.{kind.owner}.{kind.token}"
    assert kind.token.endswith(".v1")
    assert kind.token.removesuffix(".v1").replace("_", "") == kind.__name__.lower()
    if issubclass(kind, Event):
        assert kind.subject(ORG) == f"evt.{ORG.hex}.{kind.owner}.{kind.token}"
        assert kind.subject(None) == f"evt.system.{kind.owner}.{kind.token}"
        assert kind.pattern() == f"evt.*.{kind.owner}.{kind.token}"
    else:
        assert issubclass(kind, Command | Request)
        assert kind.subject() == kind.type_name()


def test_every_message_is_registered_once() -> None:
    assert len({kind.type_name() for kind in DEFINED}) == len(DEFINED)
    assert {kind for kind in registered() if kind.__module__ in OWNERS} == set(DEFINED)


def test_the_version_at_the_end_of_a_name_is_the_version_of_the_subject() -> None:
    assert CSVFileRead.token == "csv_file_read.v1"
    assert CSVFileReadV2.token == "csv_file_read.v2"


def _here(namespace: dict[str, object]) -> None:
    namespace["__module__"] = __name__


def test_a_message_defined_twice_raises() -> None:
    with pytest.raises(TypeError, match="defined twice"):
        new_class("CSVFileRead", (Command,), exec_body=_here)


def test_a_message_of_another_name_but_the_same_subject_raises() -> None:
    with pytest.raises(TypeError, match="defined twice"):
        new_class("CsvFileRead", (Command,), exec_body=_here)


@pytest.mark.parametrize(
    "kind", [kind for kind in DEFINED if issubclass(kind, Request)], ids=lambda kind: kind.__name__
)
def test_a_request_says_what_answers_it(kind: type[Request[Part]]) -> None:
    reply = kind.reply_type()
    assert issubclass(reply, Part)
    assert not issubclass(reply, Message)
    assert reply.model_json_schema()["type"] == "object"


def test_a_request_that_does_not_say_what_answers_it_raises() -> None:
    class Unanswered(Request):
        pass

    with pytest.raises(TypeError, match="does not say what answers it"):
        Unanswered.reply_type()


def test_headers_are_read_as_they_were_written() -> None:
    event = auth.OrganizationCreated(organization_id=ORG, name="Health for All")
    time = datetime(2026, 3, 18, 6, 30, tzinfo=UTC)
    meta = envelop(event, source="auth", org_id=ORG, actor="key:7", id=new_id(), time=time)
    assert from_headers(to_headers(meta), event.subject(ORG)) == meta


@pytest.mark.parametrize("subject_of", [OTHER, None], ids=["another's", "system's"])
def test_an_event_on_a_subject_that_is_not_its_organisations_is_refused(
    subject_of: UUID | None,
) -> None:
    event = orchestrator.RunCancelRequested(run_id=new_id(), version=1)
    headers = to_headers(envelop(event, source="orchestrator", org_id=ORG))
    with pytest.raises(MalformedMessage, match="arrived on"):
        from_headers(headers, event.subject(subject_of))


def test_an_event_of_no_organisation_on_an_organisations_subject_is_refused() -> None:
    event = orchestrator.RunCancelRequested(run_id=new_id(), version=1)
    headers = to_headers(envelop(event, source="orchestrator", org_id=None))
    with pytest.raises(MalformedMessage, match="arrived on"):
        from_headers(headers, event.subject(ORG))


def test_a_type_that_is_not_the_subjects_is_refused() -> None:
    meta = envelop(orchestrator.CancelRun(run_id=new_id()), source="gateway", org_id=ORG)
    with pytest.raises(MalformedMessage, match="arrived on"):
        from_headers(to_headers(meta), orchestrator.StartRun.subject())


@pytest.mark.parametrize("header", ["ce-id", "ce-source", "ce-type", "ce-time"])
def test_a_missing_header_is_refused(header: str) -> None:
    command = orchestrator.CancelRun(run_id=new_id())
    headers = to_headers(envelop(command, source="gateway", org_id=ORG))
    del headers[header]
    with pytest.raises(MalformedMessage, match=header):
        from_headers(headers, command.subject())


@pytest.mark.parametrize("header", ["ce-id", "ce-type", "ce-time", "ce-orgid"])
def test_a_broken_header_is_refused(header: str) -> None:
    command = orchestrator.CancelRun(run_id=new_id())
    headers = to_headers(envelop(command, source="gateway", org_id=ORG)) | {header: "?"}
    with pytest.raises(MalformedMessage):
        from_headers(headers, command.subject())


def test_what_is_told_from_outside_is_named_by_its_words_alone() -> None:
    told = outside.SourceSynced
    assert (told.kind, told.outside_type()) == ("ext", "source.synced")
    assert told.type_name() == "ext.source.synced"
    assert told.pattern() == "ext.*.source.synced"
    assert told.subject(ORG) == f"ext.{ORG.hex}.source.synced"
    assert lookup("ext.source.synced") is told
    with pytest.raises(ValueError, match="no organisation"):
        told.subject(None)


@pytest.mark.parametrize("stamped", [OTHER, None], ids=["another's", "nobody's"])
def test_what_is_told_from_outside_on_anothers_subject_is_refused(stamped: UUID | None) -> None:
    told = outside.SourceSynced(table="wells")
    headers = to_headers(envelop(told, source="gateway", org_id=stamped))
    assert from_headers(to_headers(envelop(told, source="x", org_id=ORG)), told.subject(ORG))
    with pytest.raises(MalformedMessage, match="arrived on"):
        from_headers(headers, told.subject(ORG))


@pytest.mark.parametrize("table", ["", "Wells", "wells; DROP", "1st", "a.b", "w" * 64])
def test_a_table_that_postgresql_would_not_take_as_it_is_is_refused(table: str) -> None:
    with pytest.raises(ValidationError):
        outside.SourceSynced(table=table)


def test_no_headers_at_all_are_refused() -> None:
    with pytest.raises(MalformedMessage):
        from_headers(None, orchestrator.CancelRun.subject())


def test_a_body_that_does_not_fit_is_refused_with_the_fields() -> None:
    with pytest.raises(MalformedMessage, match="run_id"):
        from_body(orchestrator.CancelRun, b'{"run_id": "none"}')
    with pytest.raises(MalformedMessage):
        from_body(orchestrator.CancelRun, b"{")


def test_a_derived_id_is_the_same_for_the_same_parts_only() -> None:
    assert derived_id("run", 1) == derived_id("run", 1)
    assert derived_id("run", 1) != derived_id("run", 2)


def test_a_secret_is_stars_wherever_it_is_kept_or_shown() -> None:
    event = PasswordTold.model_validate({"password": "open sesame"})
    request = TableRead.model_validate({"password": "open sesame"})
    for text in (
        to_body(event).decode(),
        event.model_dump_json(),
        request.model_dump_json(),
        str(event.model_dump()),
        repr(request),
        str(request),
    ):
        assert "open sesame" not in text
        assert "****" in text


def test_a_secret_travels_in_requests_and_answers_in_clear() -> None:
    request = TableRead.model_validate({"password": "open sesame"})
    heard = from_body(TableRead, to_body(request))
    assert heard.password.get_secret_value() == "open sesame"
    token = Token.model_validate({"token": "open sesame"})
    assert b"open sesame" in to_body(token)
    assert token.model_dump(mode="json", context=REVEAL) == {"token": "open sesame"}


def test_no_command_and_no_event_carries_a_secret() -> None:
    def secretive(annotation: object, seen: set[object]) -> bool:
        if annotation in seen:
            return False
        seen.add(annotation)
        if "SecretStr" in repr(annotation):
            return True
        inner = [*get_args(annotation)]
        fields = getattr(annotation, "model_fields", {})
        inner += [field.annotation for field in fields.values()]
        return any(secretive(each, seen) for each in inner)

    assert secretive(auth.SessionGrant, set())
    stored = [kind for kind in DEFINED if issubclass(kind, Command | Event)]
    assert [kind.__name__ for kind in stored if secretive(kind, set())] == []


def test_a_digest_tells_contents_apart_and_leaves_out_what_it_is_told_to() -> None:
    one, two = (orchestrator.CancelRun(run_id=UUID(int=number)) for number in (1, 2))
    assert one.digest() == orchestrator.CancelRun(run_id=UUID(int=1)).digest()
    assert one.digest() != two.digest()
    without = frozenset({"run_id"})
    assert one.digest(without=without) == two.digest(without=without)
