"""What the server refuses: each service's user has the rights of the contracts and no more."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from chassis.testing import eventually
from contracts.streams import SERVICES, inbox_prefix

NAMES = [entry.name for entry in SERVICES]


class Guarded:
    """A connection as one service's user, and what the server refused it."""

    def __init__(self, connection: Client, refused: list[str]) -> None:
        self.connection = connection
        self._refused = refused

    async def is_refused(self, what: str) -> None:
        """Wait for the server's word on a publish or a subscription."""
        await self.connection.flush()

        async def said() -> bool:
            return any(what.lower() in refusal.lower() for refusal in self._refused)

        await eventually(said)


@pytest_asyncio.fixture
async def connect(ground) -> AsyncIterator:
    """Connects as a service's user."""
    async with AsyncExitStack() as stack:

        async def open_as(name: str) -> Guarded:
            refused: list[str] = []

            async def on_error(error: Exception) -> None:
                refused.append(str(error))

            connection = await nats.connect(
                ground.nats_url,
                user=name,
                password=ground.environment(name)["NATS_PASSWORD"],
                inbox_prefix=inbox_prefix(name).encode(),
                error_cb=on_error,
            )
            stack.push_async_callback(connection.close)
            return Guarded(connection, refused)

        yield open_as


@pytest.mark.parametrize("name", NAMES)
async def test_a_service_is_refused_publishing_anothers_events(
    name: str, connect, admin, org_id: UUID
) -> None:
    guarded = await connect(name)
    others = [other for other in NAMES if other != name]
    for other in others:
        subject = f"evt.{org_id.hex}.{other}.told.v1"
        await guarded.connection.publish(subject, b"{}")
        await guarded.is_refused(f'publish to "{subject}"')
    info = await admin.stream_info("EVT", subjects_filter=f"evt.{org_id.hex}.>")
    assert not info.state.subjects


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("auth", "cmd.ingest.sync_source.v1"),
        ("ingest", "cmd.orchestrator.start_run.v1"),
        ("gateway", "cmd.ingest.sync_source.v1"),
        ("gateway", "req.transform.drop_table.v1"),
        ("transform", "req.auth.log_in.v1"),
        ("orchestrator", "$JS.API.STREAM.PURGE.CMD"),
        ("ingest", "$JS.API.CONSUMER.MSG.NEXT.CMD.transform_build_transformation_v1"),
        ("gateway", "$KV.login_rates.any"),
        ("gateway", "$JS.API.STREAM.MSG.GET.KV_login_rates"),
        ("auth", "$KV.quotas.any"),
        ("auth", "$JS.API.STREAM.MSG.GET.EVT"),
        ("auth", "$JS.API.STREAM.PURGE.KV_login_rates"),
        ("transform", "$KV.quotas.any"),
    ],
)
async def test_a_service_is_refused_sending_what_is_not_its_business(
    name: str, subject: str, connect
) -> None:
    guarded = await connect(name)
    await guarded.connection.publish(subject, b"{}")
    await guarded.is_refused(f'publish to "{subject}"')


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("ingest", "_INBOX_gateway.>"),
        ("auth", "req.transform.>"),
        ("gateway", "cmd.>"),
        ("transform", "evt.>"),
        ("orchestrator", ">"),
    ],
)
async def test_a_service_is_refused_listening_to_others(name: str, subject: str, connect) -> None:
    guarded = await connect(name)
    await guarded.connection.subscribe(subject)
    await guarded.is_refused(f'subscription to "{subject}"')
