"""Full streams: what one of them is filled with takes nothing from another."""

import asyncio
from collections.abc import AsyncIterator, Callable

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StreamConfig
from nats.js.errors import APIError

from chassis import streams
from chassis.bus_login import BusLogin
from contracts.envelope import new_id
from contracts.orchestrator import StartRun
from contracts.outside import PipelineRun
from contracts.streams import BUCKETS, CMD, EVT, EXT, MIB, STREAMS
from stack.errors import StackError
from stack.nats import Nats
from stack.prepare import prepare_bus

STORE = 128 * MIB
BODY = b"x" * 30_000

MakeNats = Callable[..., Nats]


@pytest.fixture
async def jetstream(nats_server: MakeNats) -> AsyncIterator[JetStreamContext]:
    """A server of its own with a small store, as who may make streams."""
    server = nats_server(store_bytes=STORE)
    server.start()
    connection = await nats.connect(server.url, user="boss", password="pw")
    yield connection.jetstream()
    await connection.close()


async def publish(
    jetstream: JetStreamContext, subject: str, count: int, body: bytes = BODY
) -> list[BaseException]:
    """Publishes, many at once; gives what was refused."""
    refused: list[BaseException] = []
    for begin in range(0, count, 200):
        batch = (jetstream.publish(subject, body) for _ in range(min(200, count - begin)))
        outcomes = await asyncio.gather(*batch, return_exceptions=True)
        refused += [one for one in outcomes if isinstance(one, BaseException)]
    return refused


async def test_a_command_is_stored_while_events_from_outside_fill_their_stream(jetstream):
    await streams.apply(jetstream, store=STORE)
    # More than the whole store, which an unbounded stream would take.
    count = STORE // len(BODY) + 100
    await publish(jetstream, PipelineRun.subject(new_id()), count)
    await jetstream.publish(StartRun.subject(), b"{}")
    assert (await jetstream.stream_info("CMD")).state.messages == 1
    assert (await jetstream.stream_info("EXT")).state.bytes <= EXT.max_bytes(STORE)


async def test_a_command_is_stored_while_events_of_services_fill_their_stream(jetstream):
    await streams.apply(jetstream, store=STORE)
    subject = f"evt.{new_id().hex}.orchestrator.run_queued.v1"
    assert await publish(jetstream, subject, STORE // len(BODY) + 100) == []
    await jetstream.publish(StartRun.subject(), b"{}")
    assert (await jetstream.stream_info("EVT")).state.bytes <= EVT.max_bytes(STORE)


async def test_a_full_queue_of_commands_refuses_the_next_and_loses_none(jetstream):
    await streams.apply(jetstream, store=STORE)
    refused = await publish(jetstream, StartRun.subject(), CMD.max_bytes(STORE) // len(BODY) + 10)
    assert refused
    assert (await jetstream.stream_info("CMD")).state.first_seq == 1
    await jetstream.publish(PipelineRun.subject(new_id()), b"{}")


async def test_the_flood_of_one_organisation_drops_no_event_of_another(jetstream):
    await streams.apply(jetstream, store=STORE)
    flooding, other = PipelineRun.subject(new_id()), PipelineRun.subject(new_id())
    await jetstream.publish(other, b"{}")
    assert EXT.max_per_subject is not None
    await publish(jetstream, flooding, EXT.max_per_subject + 5, b"{}")
    state = (await jetstream.stream_info("EXT", subjects_filter=">")).state
    assert state.subjects == {flooding: EXT.max_per_subject, other: 1}


async def test_a_message_larger_than_its_stream_takes_is_refused(jetstream):
    await streams.apply(jetstream, store=STORE)
    assert EXT.max_message is not None
    with pytest.raises(APIError, match="message size exceeds"):
        await jetstream.publish(PipelineRun.subject(new_id()), b"x" * (EXT.max_message + 1))


async def test_streams_that_exist_get_the_limits_and_keep_what_fits(jetstream):
    for stream in STREAMS:
        config = StreamConfig(
            name=stream.name,
            subjects=list(stream.subjects),
            retention=RetentionPolicy(stream.retention),
        )
        await jetstream.add_stream(config)
    await publish(jetstream, StartRun.subject(), 3)
    await publish(jetstream, PipelineRun.subject(new_id()), EXT.max_bytes(STORE) // len(BODY) + 50)
    for _ in range(2):
        await streams.apply(jetstream, store=STORE)
        for stream in STREAMS:
            config = (await jetstream.stream_info(stream.name)).config
            assert config.max_bytes == stream.max_bytes(STORE)
            assert config.discard == stream.discard
            assert config.max_msgs_per_subject == (stream.max_per_subject or -1)
            assert config.max_msg_size == (stream.max_message or -1)
        assert (await jetstream.stream_info("CMD")).state.messages == 3
        assert (await jetstream.stream_info("EXT")).state.bytes <= EXT.max_bytes(STORE)
        for bucket in BUCKETS:
            assert (await jetstream.stream_info(bucket.stream)).config.max_bytes == bucket.max_bytes


async def test_a_server_with_less_room_than_said_is_told_in_words(nats_server: MakeNats):
    server = nats_server(store_bytes=STORE)
    server.start()
    with pytest.raises(StackError, match="NATS_STORE_BYTES"):
        await prepare_bus(server.url, BusLogin("boss", "pw"), 1, 4 * STORE)
