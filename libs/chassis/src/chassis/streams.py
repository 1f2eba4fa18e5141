"""The migrator's half of the bus: makes streams and consumers what `contracts.streams` says."""

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from chassis.telemetry import log
from contracts.streams import SERVICES, STREAMS, Consumer, Stream


async def apply(jetstream: JetStreamContext, *, replicas: int = 1) -> None:
    """Create or update every stream and consumer; idempotent, keeps what is stored."""
    for stream in STREAMS:
        config = _stream_config(stream, replicas)
        try:
            await jetstream.stream_info(stream.name)
            await jetstream.update_stream(config)
        except NotFoundError:
            await jetstream.add_stream(config)
            log.info("stream_created", stream=stream.name)
    for service in SERVICES:
        for consumer in service.consumers():
            # On an existing durable this is an update; unlike a bind it never keeps old settings.
            await jetstream.add_consumer(consumer.stream.name, _consumer_config(consumer, replicas))


def _stream_config(stream: Stream, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=RetentionPolicy(stream.retention),
        max_age=stream.max_age or 0,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        duplicate_window=stream.duplicate_window,
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
