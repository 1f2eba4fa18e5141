"""The fan-out: who hears what, and what becomes of slow or stopped listeners."""

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from contracts.envelope import envelop, new_id, to_body, to_headers
from contracts.orchestrator import Run, RunEvent, RunQueued, Trigger
from gateway import fanout
from gateway.fanout import Closed, Fanout, Tick


def queued(run_id, org_id, version: int = 1) -> Msg:
    """A run event as the bus carries it."""
    run = Run(
        id=run_id,
        kind="sync",
        pipeline_id=None,
        status="queued",
        trigger=Trigger(type="manual", actor="somebody"),
        created_at="2026-01-01T00:00:00Z",  # pyright: ignore[reportArgumentType]
        version=version,
    )
    event = RunQueued(run_id=run_id, version=version, run=run)
    meta = envelop(event, source="orchestrator", org_id=org_id)
    return message(event.subject(org_id), to_body(event), to_headers(meta))


def message(subject: str, body: bytes, headers: dict[str, str] | None = None) -> Msg:
    return Msg(Client(), subject=subject, data=body, headers=headers)


async def heard(listener):
    return await listener.next(0.01)


async def test_a_run_event_reaches_its_organisation_and_no_other():
    hub, org, other, run = Fanout(), new_id(), new_id(), new_id()
    with hub.listen(org) as ours, hub.listen(other) as theirs:
        await hub._hear_event(queued(run, org))
        event = await heard(ours)
        assert await heard(theirs) is None
    assert isinstance(event, RunEvent)
    assert (event.run_id, event.version, event.type) == (run, 1, "run_queued")
    assert event.data["run"]["status"] == "queued"  # pyright: ignore[reportIndexIssue]


async def test_a_listener_of_one_run_hears_that_run_only():
    hub, org, run = Fanout(), new_id(), new_id()
    with hub.listen(org, run) as listener:
        await hub._hear_event(queued(new_id(), org))
        await hub._hear_event(queued(run, org, 7))
        event = await heard(listener)
        assert isinstance(event, RunEvent)
        assert event.version == 7
        assert await heard(listener) is None


async def test_progress_is_passed_on_under_its_run():
    hub, org, run = Fanout(), new_id(), new_id()
    with hub.listen(org, run) as listener:
        await hub._hear_tick(message(f"tick.{org.hex}.ingest.{run.hex}", b'{"rows": 5}'))
        assert await heard(listener) == Tick(run, {"rows": 5})


@pytest.mark.parametrize(
    ("subject", "body"),
    [("tick.x.ingest.y", b"{}"), ("tick.short", b"{}"), ("tick.a.b.c.d", b"{}")],
)
async def test_noise_is_ignored(subject, body):
    hub = Fanout()
    with hub.listen(new_id()):
        await hub._hear_tick(message(subject, body))
        await hub._hear_event(message("evt.x.orchestrator.run_queued.v1", b"{}", {"ce-id": "1"}))


async def test_an_event_whose_subject_names_another_organisation_is_ignored():
    hub, org, other = Fanout(), new_id(), new_id()
    with hub.listen(org) as listener:
        forged = queued(new_id(), org)
        forged.subject = RunQueued.subject(other)
        await hub._hear_event(forged)
        assert await heard(listener) is None


async def test_a_slow_listener_loses_events_and_knows_it(monkeypatch):
    monkeypatch.setattr(fanout, "_ROOM", 3)
    hub, org, run = Fanout(), new_id(), new_id()
    with hub.listen(org) as listener:
        for version in range(1, 6):
            hub.hand_out(org, Tick(run, version))
        assert listener.has_lost
        assert await heard(listener) == Tick(run, 1)


async def test_closing_ends_every_listener_even_a_full_one(monkeypatch):
    monkeypatch.setattr(fanout, "_ROOM", 1)
    hub, org = Fanout(), new_id()
    with hub.listen(org) as one, hub.listen(new_id()) as other:
        hub.hand_out(org, Tick(new_id(), 1))
        hub.close()
        for listener in (one, other):
            with pytest.raises(Closed):
                await heard(listener)


async def test_nothing_is_kept_of_those_who_have_gone():
    hub, org = Fanout(), new_id()
    with hub.listen(org), hub.listen(org):
        pass
    assert hub._listeners == {}
