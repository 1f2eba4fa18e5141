"""nats-server from the wheel: rights, streams that stay, crash."""

import asyncio
import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from stack.nats import Nats, User
from stack.process import wait_until

MakeNats = Callable[..., Nats]


async def _connect(server: Nats, user: str = "boss") -> Client:
    return await nats.connect(
        server.url, user=user, password="pw", allow_reconnect=False, error_cb=_quiet
    )


async def _quiet(_: Exception) -> None:
    """What is refused arrives here; the tests look at what does not happen."""


async def test_streams_and_messages_are_there_again_after_a_restart(nats_server: MakeNats):
    first = nats_server()
    first.start()
    connection = await _connect(first)
    await connection.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
    await connection.jetstream().publish("kept.one", b"1")
    await connection.close()
    first.stop()
    assert not first.is_running()
    second = nats_server()
    second.start()
    connection = await _connect(second)
    info = await connection.jetstream().stream_info("KEPT")
    assert info.state.messages == 1
    await connection.close()


async def test_an_acknowledged_message_survives_kill_9(nats_server: MakeNats):
    first = nats_server(test=False)
    first.start()
    connection = await _connect(first)
    await connection.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
    await connection.jetstream().publish("kept.one", b"1")
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    assert wait_until(lambda: not first.is_running(), 5)
    await connection.close()
    second = nats_server(test=False)
    second.start()
    connection = await _connect(second)
    assert (await connection.jetstream().stream_info("KEPT")).state.messages == 1
    await connection.close()


async def _greet(server: Nats, login: dict[str, str]) -> bytes:
    # By hand: nats-py leaves its socket open when it is refused.
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    options = {"verbose": False, "pedantic": False, **login}
    writer.write(f"CONNECT {json.dumps(options)}\r\nPING\r\n".encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_nobody_enters_without_the_right_password(nats_server: MakeNats):
    server = nats_server()
    server.start()
    assert b"Authorization Violation" in await _greet(server, {})
    assert b"Authorization Violation" in await _greet(server, {"user": "boss", "pass": "wrong"})
    assert await _greet(server, {"user": "boss", "pass": "pw"}) == b"PONG\r\n"


async def test_a_user_may_say_and_hear_what_it_is_allowed_and_nothing_else(nats_server: MakeNats):
    users = [
        User("boss", "pw", (">",), (">",)),
        User("asker", "pw", ("req.a",), ("_INBOX_asker.>",)),
        User("mute", "pw", (), ()),
        User("answerer", "pw", (), ("req.a",), allow_responses=True),
    ]
    server = nats_server(users)
    server.start()
    answerer = await _connect(server, "answerer")

    async def answer(message: Msg) -> None:
        await message.respond(b"answer")

    await answerer.subscribe("req.a", cb=answer)
    await answerer.flush()
    asker = await nats.connect(
        server.url, user="asker", password="pw", inbox_prefix="_INBOX_asker", error_cb=_quiet
    )
    assert (await asker.request("req.a", timeout=2)).data == b"answer"
    with pytest.raises((NatsTimeout, NoRespondersError)):
        await asker.request("req.b", timeout=0.2)

    boss = await _connect(server)
    heard = await boss.subscribe(">")
    await boss.flush()
    mute = await _connect(server, "mute")
    for connection in (mute, answerer):
        await connection.publish("req.a", b"forbidden")
        await connection.flush()
    with pytest.raises(NatsTimeout):
        await heard.next_msg(timeout=0.2)
    for connection in (answerer, asker, boss, mute):
        await connection.close()


async def test_the_configuration_is_closed_to_others_and_syncs_before_it_acknowledges(
    nats_server: MakeNats, folder: Path
):
    server = nats_server(test=False)
    server.start()
    path = folder / "nats" / "nats-server.conf"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = json.loads(path.read_text())
    assert config["jetstream"]["sync_interval"] == "always"
    assert config["host"] == "127.0.0.1"
    assert config["http"].startswith("127.0.0.1:")
    assert config["max_payload"] == 1024 * 1024
