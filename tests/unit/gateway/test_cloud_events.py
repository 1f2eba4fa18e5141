"""CloudEvents over HTTP: one in the body, one in the headers, a batch, and all that is none."""

import json

import pytest
from fastapi.exceptions import RequestValidationError

from contracts.envelope import new_id
from contracts.problem import ProblemError
from gateway.cloud_events import MOST, TAKEN, read

EVENT = {"specversion": "1.0", "id": "7", "source": "/etl", "type": "source.synced"}
DATA = {"table": "wells", "rows": 3}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def structured(**changes: object):
    return read(STRUCTURED, json.dumps(EVENT | {"data": DATA} | changes).encode())


def test_an_event_in_the_body():
    ((event, body),) = structured(extension="x", datacontenttype="application/json")
    assert (event.id, event.source, event.type) == ("7", "/etl", "source.synced")
    assert json.loads(body) == DATA


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.etl+json; charset=utf-8"])
def test_an_event_in_the_headers(kind):
    headers = {f"ce-{name}": value for name, value in EVENT.items()} | {"content-type": kind}
    headers["ce-id"] = "Euro%20%E2%82%AC%20%F0%9F%98%80"
    ((event, body),) = read(headers, json.dumps(DATA).encode())
    assert event.id == "Euro € 😀"
    assert json.loads(body) == DATA


def test_a_batch_keeps_its_order_and_may_be_empty():
    given = [EVENT | {"id": str(n), "data": DATA} for n in range(3)]
    assert [event.id for event, _ in read(BATCH, json.dumps(given).encode())] == ["0", "1", "2"]
    assert read(BATCH, b"[]") == []


def test_a_type_that_no_service_acts_on_is_refused_with_those_that_are():
    assert TAKEN == ("pipeline.run", "source.synced")
    unknown = {"type": "org.example.Thing-done", "data": ["any", 1]}
    with pytest.raises(ProblemError) as raised:
        structured(**unknown)
    problem = raised.value.problem
    assert (problem.status, problem.code) == (422, "unknown_event_type")
    assert all(taken in problem.detail for taken in TAKEN)
    assert [(entry.field, entry.alternatives) for entry in problem.errors] == [("type", TAKEN)]
    given = [EVENT | {"data": DATA}, EVENT | unknown]
    with pytest.raises(ProblemError) as raised:
        read(BATCH, json.dumps(given).encode())
    assert raised.value.problem.errors[0].field == "1.type"


def test_nothing_is_stored_of_the_data_but_what_its_type_knows():
    ((_, body),) = structured(data=DATA | {"padding": "x" * 100_000})
    assert json.loads(body) == DATA


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"source": ""}, "source"),
        ({"source": "a\r\nNats-Msg-Id: x"}, "source"),
        ({"type": "a..b"}, "type"),
        ({"type": "a.*"}, "type"),
        ({"type": "a.>"}, "type"),
        ({"type": "a b"}, "type"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-03-18T06:30:00"}, "time"),
        ({"data_base64": "AAE="}, "data_base64"),
        ({"data": None}, "data"),
        ({"data": {"rows": 3}}, "data.table"),
        ({"data": {"table": "Wells; DROP"}}, "data.table"),
        ({"data": {"table": "wells", "rows": -1}}, "data.rows"),
    ],
)
def test_what_does_not_fit_is_named(changes, place):
    with pytest.raises(RequestValidationError) as raised:
        structured(**changes)
    (found,) = raised.value.errors()
    assert ".".join(map(str, found["loc"])) == f"body.{place}"
    given = [EVENT | {"data": DATA}, EVENT | {"data": DATA} | changes]
    with pytest.raises(RequestValidationError) as raised:
        read(BATCH, json.dumps(given).encode())
    assert ".".join(map(str, raised.value.errors()[0]["loc"])) == f"body.1.{place}"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"{}", 415, "not_a_cloud_event"),
        ({"content-type": "application/json"}, b"{}", 415, "not_a_cloud_event"),
        ({"ce-specversion": "1.0", "content-type": "text/csv"}, b"a", 415, "data_not_json"),
        ({"ce-specversion": "1.0"}, b"a", 415, "data_not_json"),
        (STRUCTURED, b"{", 400, "malformed_json"),
        (STRUCTURED, b"\xff", 400, "malformed_json"),
        (BATCH, b"{}", 422, "invalid_request"),
        (BATCH, json.dumps([EVENT | {"data": DATA}] * (MOST + 1)).encode(), 422, "invalid_request"),
    ],
)
def test_what_is_no_event_says_how_to_send_one(headers, body, status, code):
    with pytest.raises(ProblemError) as raised:
        read(headers, body)
    assert (raised.value.problem.status, raised.value.problem.code) == (status, code)


def test_an_event_is_the_same_by_source_and_id_within_an_organisation():
    org, other = new_id(), new_id()

    def id_of(org_id, **changes):
        ((event, _),) = structured(**changes)
        return event.meta(org_id, "me").id

    assert id_of(org) == id_of(org, data={"table": "springs"}, time="2026-03-18T06:30:00Z")
    assert len({id_of(org), id_of(other), id_of(org, id="8"), id_of(org, source="/b")}) == 4


def test_the_organisation_and_the_type_are_the_envelopes():
    org = new_id()
    ((event, _),) = structured(orgid=str(new_id()), actor="somebody")
    meta = event.meta(org, "me")
    assert (meta.org_id, meta.actor, meta.type) == (org, "me", "ext.source.synced")
