"""Following a run: every event once and in order, whatever happens to the line."""

import json

import pytest

from contracts.envelope import new_id
from contracts.orchestrator import Run
from dalgo import AsyncDalgo, Dalgo
from dalgo.tail import Tail, run_of, step_of

RUN_ID, STEP_ID = new_id(), new_id()
EVENTS = f"GET /runs/{RUN_ID}/events"


def step(status, **more):
    return {
        "id": str(STEP_ID),
        "kind": "sync",
        "name": "donations",
        "status": status,
        "attempt": 1,
        **more,
    }


def run(status, version, steps=()):
    return {
        "id": str(RUN_ID),
        "kind": "sync",
        "pipeline_id": None,
        "status": status,
        "trigger": {"type": "manual", "actor": "me"},
        "created_at": "2026-01-01T00:00:00Z",
        "version": version,
        "steps": list(steps),
    }


def block(version, type, **data):
    body = {
        "run_id": str(RUN_ID),
        "version": version,
        "type": type,
        "time": "2026-01-01T00:00:00Z",
        "data": data,
    }
    return f"id: {version}\nevent: {type}\ndata: {json.dumps(body)}"


QUEUED = block(1, "run_queued", run=run("queued", 1))
STARTED = block(2, "step_started", step=step("running"))
FINISHED = block(3, "step_finished", step=step("succeeded", rows=3))
SUCCEEDED = block(4, "run_succeeded", run=run("succeeded", 4, [step("succeeded", rows=3)]))
PROGRESS = "event: progress\ndata: " + json.dumps(
    {
        "run_id": str(RUN_ID),
        "data": {"step_id": str(new_id()), "source_id": str(new_id()), "phase": "loading"}
        | {"rows": 1, "total_rows": 3},
    }
)


def told(dalgo, **options):
    return [(event.version, event.type) for event in dalgo.runs.events(RUN_ID, **options)]


ALL = [(1, "run_queued"), (2, "step_started"), (3, "step_finished"), (4, "run_succeeded")]


def test_events_come_in_order_until_the_run_has_ended(gateway, live):
    gateway.on(EVENTS, live(QUEUED, ": here", PROGRESS, STARTED, FINISHED, SUCCEEDED))
    with Dalgo(gateway.url, "key") as dalgo:
        assert told(dalgo) == ALL
    assert len(gateway.seen) == 1
    assert "last-event-id" not in gateway.seen[0].headers


def test_progress_goes_to_who_asked_for_it(gateway, live):
    gateway.on(EVENTS, live(QUEUED, PROGRESS, STARTED, FINISHED, SUCCEEDED))
    heard = []
    with Dalgo(gateway.url, "key") as dalgo:
        assert told(dalgo, on_progress=heard.append) == ALL
    assert [(one.phase, one.rows, one.total_rows) for one in heard] == [("loading", 1, 3)]


def test_a_broken_line_is_taken_up_where_it_broke(gateway, live, answer):
    gateway.on(
        EVENTS,
        live(QUEUED, STARTED),
        answer(hang_up=True),
        live(STARTED, FINISHED, SUCCEEDED),
    )
    with Dalgo(gateway.url, "key") as dalgo:
        assert told(dalgo) == ALL
    assert [seen.headers.get("last-event-id") for seen in gateway.seen] == [None, "2", "2"]


async def test_the_asynchronous_client_follows_alike(gateway, live, refusal):
    gateway.on(
        EVENTS, live(QUEUED, STARTED), refusal(503, "away", "Away."), live(FINISHED, SUCCEEDED)
    )
    async with AsyncDalgo(gateway.url, "key") as dalgo:
        seen = [(event.version, event.type) async for event in dalgo.runs.events(RUN_ID)]
    assert seen == ALL


def test_a_line_cut_inside_an_event_loses_nothing(gateway, live, answer):
    half = (QUEUED + "\n\n" + STARTED)[:-20].encode()
    headers = {"Content-Type": "text/event-stream", "Content-Length": "100000"}
    gateway.on(
        EVENTS, answer(headers=headers, body=half, hang_up=True), live(STARTED, FINISHED, SUCCEEDED)
    )
    with Dalgo(gateway.url, "key") as dalgo:
        assert told(dalgo) == ALL


def test_a_reader_may_begin_after_a_version(gateway, live):
    gateway.on(EVENTS, live(FINISHED, SUCCEEDED))
    with Dalgo(gateway.url, "key") as dalgo:
        assert told(dalgo, after_version=2) == ALL[2:]
    assert gateway.seen[0].headers["last-event-id"] == "2"


def test_where_no_stream_gets_through_the_run_is_polled(gateway, answer):
    gateway.on(EVENTS, answer(body=b"<html>a proxy</html>", headers={"Content-Type": "text/html"}))
    gateway.on(
        f"GET /runs/{RUN_ID}",
        answer(json=run("syncing", 2, [step("running")])),
        answer(json=run("syncing", 2, [step("running")])),
        answer(json=run("succeeded", 4, [step("succeeded", rows=3)])),
    )
    with Dalgo(gateway.url, "key") as dalgo:
        seen = list(dalgo.runs.events(RUN_ID))
    assert [event.type for event in seen] == ["step_started", "step_finished", "run_succeeded"]
    last = run_of(seen[-1])
    finished = step_of(seen[1])
    assert last is not None
    assert last.status == "succeeded"
    assert finished is not None
    assert finished.rows == 3


def test_a_run_that_ended_before_it_was_followed_ends_the_stream(gateway, live, answer):
    gateway.on(EVENTS, live(": here"))
    gateway.on(f"GET /runs/{RUN_ID}", answer(json=run("succeeded", 4)))
    with Dalgo(gateway.url, "key") as dalgo:
        assert told(dalgo, after_version=4) == []


def test_polling_tells_only_what_the_stream_had_not():
    tail = Tail(RUN_ID, after_version=0)
    first = tail.catch_up(Run.model_validate(run("syncing", 2, [step("running")])))
    again = tail.catch_up(Run.model_validate(run("syncing", 3, [step("running")])))
    last = tail.catch_up(Run.model_validate(run("failed", 5, [step("failed")])))
    assert [event.type for event in first] == ["step_started"]
    assert again == []
    assert [event.type for event in last] == ["step_finished", "run_failed"]
    assert tail.has_ended


def test_a_run_that_was_retried_is_followed_beyond_its_first_end(gateway, live):
    failed = block(2, "run_failed", run=run("failed", 2))
    again = block(3, "run_queued", run=run("queued", 3))
    gateway.on(EVENTS, live(QUEUED, failed, again), live(SUCCEEDED))
    with Dalgo(gateway.url, "key") as dalgo:
        seen = told(dalgo)
    assert [kind for _, kind in seen] == ["run_queued", "run_failed", "run_queued", "run_succeeded"]
    assert gateway.seen[1].headers["last-event-id"] == "3"


def test_waiting_gives_the_run_as_it_ended(gateway, live, answer):
    gateway.on(EVENTS, live(QUEUED, SUCCEEDED))
    gateway.on(f"GET /runs/{RUN_ID}", answer(json=run("succeeded", 4)))
    with Dalgo(gateway.url, "key") as dalgo:
        assert dalgo.runs.wait(RUN_ID).status == "succeeded"


def test_a_run_of_somebody_else_is_refused_at_once(gateway, refusal):
    gateway.on(EVENTS, refusal(404, "not_found", "There is no run."))
    with Dalgo(gateway.url, "key") as dalgo, pytest.raises(Exception, match="There is no run"):
        told(dalgo)


def test_a_run_that_was_accepted_a_moment_ago_may_not_be_there_yet(gateway, live, refusal):
    missing = refusal(404, "not_found", "There is no run.")
    gateway.on(EVENTS, missing, missing, live(QUEUED, STARTED, FINISHED, SUCCEEDED))
    accepted = Run.model_validate(run("queued", 0))
    with Dalgo(gateway.url, "key") as dalgo:
        assert [event.version for event in dalgo.runs.events(accepted)] == [1, 2, 3, 4]
