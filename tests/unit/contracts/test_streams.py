"""The bus as data: everything asked, sent and followed has its owner, and rights are least."""

from itertools import permutations

import pytest

from contracts import outside
from contracts.envelope import new_id
from contracts.message import Command, Event, Request, registered
from contracts.streams import (
    BUCKETS,
    CMD,
    EVT,
    EXT,
    MIB,
    SERVICES,
    STORE,
    STREAMS,
    Bucket,
    Service,
    rights,
    service,
)

OWNERS = {f"contracts.{entry.name}": entry.name for entry in SERVICES}
KINDS = [kind for kind in registered() if kind.__module__ in OWNERS]
COMMANDS = [kind for kind in KINDS if issubclass(kind, Command)]
EVENTS = [kind for kind in KINDS if issubclass(kind, Event)]
REQUESTS = [kind for kind in KINDS if issubclass(kind, Request)]

each_service = pytest.mark.parametrize("entry", SERVICES, ids=lambda entry: entry.name)
each_two = pytest.mark.parametrize(
    ("entry", "other"), [*permutations(SERVICES, 2)], ids=lambda entry: entry.name
)


def _matches(pattern: str, subject: str) -> bool:
    """As NATS matches: `*` is one token, `>` all that remain, at least one."""
    patterns, tokens = pattern.split("."), subject.split(".")
    for place, word in enumerate(patterns):
        if word == ">":
            return len(tokens) > place
        if place >= len(tokens) or word not in ("*", tokens[place]):
            return False
    return len(patterns) == len(tokens)


def _may(patterns: tuple[str, ...], subject: str) -> bool:
    return any(_matches(pattern, subject) for pattern in patterns)


def test_the_owner_of_every_message_is_a_service() -> None:
    names = [entry.name for entry in SERVICES]
    assert len(set(names)) == len(names)
    assert {kind.owner for kind in KINDS} <= set(names)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_is_handled_by_its_owner_alone_and_sent_by_somebody(kind: type[Command]) -> None:
    assert [entry.name for entry in SERVICES if kind in entry.handles] == [kind.owner]
    assert [entry.name for entry in SERVICES if kind in entry.sends] != []


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_a_request_is_heard_by_its_owner_alone_and_asked_by_somebody(kind: type[Request]) -> None:
    hearing = [e.name for e in SERVICES if _may(rights(e).subscribe, kind.subject())]
    assert hearing == [kind.owner]
    assert [entry.name for entry in SERVICES if kind in entry.asks] != []


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_a_request_is_withdrawn_by_those_who_ask_and_to_its_owner_alone(
    kind: type[Request],
) -> None:
    told = [e.name for e in SERVICES if _may(rights(e).publish, kind.withdrawal())]
    askers = [entry.name for entry in SERVICES if kind in entry.asks]
    assert told == (askers if kind.withdrawable else [])
    assert [e.name for e in SERVICES if _may(rights(e).subscribe, kind.withdrawal())] == [
        kind.owner
    ]


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_a_requests_owner_alone_tells_those_who_ask_that_it_is_at_work(kind: type[Request]) -> None:
    assert [e.name for e in SERVICES if _may(rights(e).publish, kind.sign_of_life())] == [
        kind.owner
    ]
    told = [e.name for e in SERVICES if _may(rights(e).subscribe, kind.sign_of_life())]
    others = {e.name for e in SERVICES if {asked.owner for asked in e.asks} & {kind.owner}}
    assert set(told) == others


@each_service
def test_a_service_asks_and_follows_others_only_and_nothing_twice(entry: Service) -> None:
    for kinds in (entry.asks, entry.sends, entry.handles, entry.follows):
        assert len(set(kinds)) == len(kinds)
        assert {kind.__module__ for kind in kinds} <= set(OWNERS)
    assert entry.name not in {kind.owner for kind in (*entry.asks, *entry.follows)}


@each_service
def test_what_a_service_follows_its_owner_may_publish(entry: Service) -> None:
    for event in entry.follows:
        subject = event.subject(new_id())
        assert _may(rights(service(event.owner)).publish, subject)
        publishers = [each.name for each in SERVICES if _may(rights(each).publish, subject)]
        assert publishers == [event.owner]


@each_service
def test_a_service_may_publish_exactly_what_it_asks_sends_and_tells(entry: Service) -> None:
    allowed = rights(entry).publish
    assert {kind for kind in REQUESTS if _may(allowed, kind.subject())} == set(entry.asks)
    assert {kind for kind in COMMANDS if _may(allowed, kind.subject())} == set(entry.sends)
    own = {kind for kind in EVENTS if kind.owner == entry.name}
    assert {kind for kind in EVENTS if _may(allowed, kind.subject(new_id()))} == own
    assert {kind for kind in EVENTS if _may(allowed, kind.subject(None))} == own


@each_service
def test_only_the_gateway_takes_in_what_is_told_from_outside(entry: Service) -> None:
    told = outside.SourceSynced.subject(new_id())
    assert _may(rights(entry).publish, told) == (entry.name == "gateway")
    assert not _may(rights(entry).subscribe, told)


@each_two
def test_a_service_may_not_speak_or_listen_in_anothers_name(entry: Service, other: Service) -> None:
    allowed = rights(entry)
    for subject in (
        f"evt.{new_id().hex}.{other.name}.anything.v1",
        f"evt.system.{other.name}.anything.v1",
        f"tick.{new_id().hex}.{other.name}.anything",
        f"req.{other.name}.not_asked.v1",
    ):
        assert not _may(allowed.publish, subject)
    assert not _may(allowed.subscribe, f"_INBOX_{other.name}.x")
    assert not _may(allowed.subscribe, f"req.{other.name}.anything.v1")
    for consumer in other.consumers():
        address = f"{consumer.stream.name}.{consumer.name}"
        assert not _may(allowed.publish, f"$JS.API.CONSUMER.MSG.NEXT.{address}")
        assert not _may(allowed.publish, f"$JS.ACK.{address}.1.2.3.4.5")


@each_service
def test_a_service_may_not_manage_or_read_streams(entry: Service) -> None:
    for call in (
        "STREAM.PURGE.CMD",
        "STREAM.DELETE.EVT",
        "STREAM.MSG.GET.CMD",
        "STREAM.UPDATE.EVT",
    ):
        assert not _may(rights(entry).publish, f"$JS.API.{call}")
    for stream in (CMD, EVT):
        create = f"$JS.API.CONSUMER.CREATE.{stream.name}.own"
        assert not _may(rights(entry).publish, create)
    assert not _may(rights(entry).subscribe, "cmd.ingest.sync_source.v1")


def test_every_consumer_has_a_name_of_its_own_and_lies_in_its_stream() -> None:
    consumers = [consumer for entry in SERVICES for consumer in entry.consumers()]
    assert len({(each.stream.name, each.name) for each in consumers}) == len(consumers)
    for consumer in consumers:
        assert "." not in consumer.name
        for subject in consumer.subjects:
            assert _may(consumer.stream.subjects, subject.replace("*", "system"))


def test_a_command_has_one_consumer_and_streams_do_not_overlap() -> None:
    for kind in COMMANDS:
        holders = [
            consumer.name
            for entry in SERVICES
            for consumer in entry.consumers()
            if kind.subject() in consumer.subjects
        ]
        assert len(holders) == 1
    for one, other in permutations(STREAMS, 2):
        for subject in other.subjects:
            assert not _may(one.subjects, subject.replace(">", "a.b"))


def test_a_service_that_is_none_raises() -> None:
    with pytest.raises(KeyError):
        service("nobody")


@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda bucket: bucket.name)
def test_a_bucket_is_read_and_written_by_the_one_service_that_counts_there(bucket: Bucket) -> None:
    counting = [entry.name for entry in SERVICES if entry.counts is bucket]
    assert len(counting) == 1
    for subject in (bucket.subject("any.key"), f"$JS.API.STREAM.MSG.GET.{bucket.stream}"):
        assert [e.name for e in SERVICES if _may(rights(e).publish, subject)] == counting


def test_full_streams_leave_room_in_the_store_and_lose_no_command() -> None:
    taken = sum(stream.max_bytes() for stream in STREAMS)
    taken += sum(bucket.max_bytes for bucket in BUCKETS)
    assert taken < 0.8 * STORE
    assert [stream.name for stream in STREAMS if stream.discard == "new"] == ["CMD"]
    # Of the smallest store that is taken, too.
    small = 512 * MIB
    assert sum(s.max_bytes(small) for s in STREAMS) + sum(b.max_bytes for b in BUCKETS) < small


@pytest.mark.parametrize("stream", [EVT, EXT], ids=lambda stream: stream.name)
def test_a_subject_that_names_an_organisation_is_bounded(stream) -> None:
    assert stream.max_per_subject
