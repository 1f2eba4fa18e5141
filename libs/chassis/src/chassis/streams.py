"""The migrator's half of the bus: makes streams and consumers what `contracts.streams` says."""

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    PersistMode,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from chassis.telemetry import log
from contracts.streams import BUCKETS, SERVICES, STORE, STREAMS, Bucket, Consumer, Stream


async def apply(jetstream: JetStreamContext, *, replicas: int = 1, store: int = STORE) -> None:
    """Create or update every stream, bucket and consumer; idempotent, keeps what is stored.

    `store`: bytes on disk that the server may take. Raises an APIError when it has less.
    """
    for stream in STREAMS:
        await _stream(jetstream, _stream_config(stream, replicas, store))
    for bucket in BUCKETS:
        await _bucket(jetstream, _bucket_config(bucket, replicas))
    for service in SERVICES:
        for consumer in service.consumers():
            # On an existing durable this is an update; unlike a bind it never keeps old settings.
            await jetstream.add_consumer(consumer.stream.name, _consumer_config(consumer, replicas))


async def missing(jetstream: JetStreamContext) -> list[str]:
    """Streams, buckets and consumers that are not there, by name."""
    wanted = {stream.name for stream in STREAMS} | {bucket.stream for bucket in BUCKETS}
    there = {info.config.name for info in await jetstream.streams_info()}
    consumers = [consumer for service in SERVICES for consumer in service.consumers()]
    for stream in sorted({consumer.stream.name for consumer in consumers} & there):
        own = {info.name for info in await jetstream.consumers_info(stream)}
        wanted |= {each.name for each in consumers if each.stream.name == stream}
        there |= own
    return sorted(wanted - there)


async def _stream(jetstream: JetStreamContext, config: StreamConfig) -> None:
    assert config.name is not None
    try:
        await jetstream.stream_info(config.name)
        await jetstream.update_stream(config)
    except NotFoundError:
        await jetstream.add_stream(config)
        log.info("stream_created", stream=config.name)


async def _bucket(jetstream: JetStreamContext, config: StreamConfig) -> None:
    assert config.name is not None
    try:
        info = await jetstream.stream_info(config.name)
        if info.config.persist_mode != config.persist_mode:
            # How a stream is written cannot be changed. What is lost is a day's counters at most.
            await jetstream.delete_stream(config.name)
    except NotFoundError:
        pass
    await _stream(jetstream, config)


def _stream_config(stream: Stream, replicas: int, store: int) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=RetentionPolicy(stream.retention),
        max_age=stream.max_age or 0,
        storage=StorageType.FILE,
        discard=DiscardPolicy(stream.discard),
        max_bytes=stream.max_bytes(store),
        max_msgs_per_subject=stream.max_per_subject or -1,
        max_msg_size=stream.max_message or -1,
        duplicate_window=stream.duplicate_window,
        num_replicas=replicas,
    )


def _bucket_config(bucket: Bucket, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=bucket.stream,
        subjects=[bucket.subject()],
        max_age=bucket.max_age,
        max_msgs_per_subject=1,
        max_bytes=bucket.max_bytes,
        max_msg_size=bucket.max_message,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        # Counters need not outlive a power cut, so their writes do not wait for the disk. Several
        # servers know no such mode; a stream in memory would not outlive a restart of one.
        persist_mode=PersistMode.ASYNC if replicas == 1 else None,
        num_replicas=replicas,
    )


def _consumer_config(consumer: Consumer, replicas: int) -> ConsumerConfig:
    single = len(consumer.subjects) == 1
    return ConsumerConfig(
        durable_name=consumer.name,
        filter_subject=consumer.subjects[0] if single else None,
        filter_subjects=None if single else list(consumer.subjects),
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait,
        deliver_policy=DeliverPolicy.ALL,
        max_deliver=-1,
        max_ack_pending=consumer.max_ack_pending,
        num_replicas=replicas,
    )
