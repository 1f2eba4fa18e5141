"""A NATS of the operator's own: TLS by an authority of theirs, users with nkeys, rights for each."""

import asyncio
import base64
import datetime as dt
import ipaddress
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import nkeys
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from chassis.answers import Answers
from chassis.bus import Bus
from chassis.bus_login import BusLogin
from chassis.settings import BusSettings
from contracts.auth import GetSigningKeys, JsonWebKeySet
from contracts.envelope import Meta
from contracts.orchestrator import CancelRun
from contracts.streams import SERVICES, rights
from stack import ports
from stack.nats import program
from stack.prepare import prepare_bus
from stack.process import spawn, wait_until

MIGRATOR = "migrator"


def _certificate(folder: Path) -> None:
    """`ca.pem`, and a certificate for this machine that it signed, with its key."""
    now = dt.datetime.now(dt.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server")}
    names = {n: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in keys}
    for name, key in keys.items():
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[name])
            .issuer_name(names["ca"])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(name == "ca", None), critical=True)
        )
        if name == "server":
            here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([here]), critical=False)
        signed = builder.sign(keys["ca"], hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(signed.public_bytes(Encoding.PEM))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.key").write_bytes(secret)


def _nkey(folder: Path, name: str) -> str:
    """Writes the seed of a new user; gives its public key."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    (folder / f"{name}.nk").write_bytes(seed)
    pair = nkeys.from_seed(bytearray(seed))
    return bytes(pair.public_key).decode()


def _user(folder: Path, name: str, publish: list[str], subscribe: list[str]) -> dict[str, object]:
    allowed = {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}
    answering = {"allow_responses": {"max": 1, "expires": "1m"}}
    return {"nkey": _nkey(folder, name), "permissions": allowed | answering}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that speaks TLS and knows users by their nkeys; files lie in `tmp_path`."""
    _certificate(tmp_path)
    users = [
        _user(tmp_path, each.name, list(rights(each).publish), list(rights(each).subscribe))
        for each in SERVICES
    ]
    port = ports.choose()
    config = {
        "host": "127.0.0.1",
        "port": port,
        "tls": {
            "cert_file": str(tmp_path / "server.pem"),
            "key_file": str(tmp_path / "server.key"),
        },
        "jetstream": {"store_dir": str(tmp_path / "store")},
        "authorization": {"users": [*users, _user(tmp_path, MIGRATOR, [">"], [">"])]},
    }
    (tmp_path / "nats.conf").write_text(json.dumps(config))
    log = tmp_path / "nats.log"
    child = spawn("nats", [program(), "-c", tmp_path / "nats.conf"], env={}, runs=tmp_path, log=log)
    assert wait_until(lambda: log.exists() and "Server is ready" in log.read_text(), 20)
    yield f"nats://127.0.0.1:{port}"
    child.stop(signal.SIGTERM, grace=10)


def _settings(url: str, folder: Path, service: str) -> BusSettings:
    return BusSettings(
        nats_url=url,
        nats_ca_file=folder / "ca.pem",
        nats_nkey_seed_file=folder / f"{service}.nk",
    )


@pytest_asyncio.fixture
async def prepared(guarded: str, tmp_path: Path) -> AsyncIterator[str]:
    """The same with its streams."""
    login = BusLogin(
        ca_file=str(tmp_path / "ca.pem"), nkey_seed_file=str(tmp_path / f"{MIGRATOR}.nk")
    )
    await prepare_bus(guarded, login)
    yield guarded


async def test_services_ask_answer_and_store_over_tls_as_users_of_their_own(
    prepared: str, tmp_path: Path, org_id: UUID
):
    answers = Answers(_settings(prepared, tmp_path, "auth"), "auth")

    async def answer(_: GetSigningKeys, meta: Meta) -> JsonWebKeySet:
        return JsonWebKeySet(keys=())

    answers.answer(GetSigningKeys, answer)
    await answers.start()
    gateway = await Bus.connect(_settings(prepared, tmp_path, "gateway"), "gateway")
    try:
        assert await gateway.ask(GetSigningKeys(), org_id=None) == JsonWebKeySet(keys=())
        await gateway.send(CancelRun(run_id=org_id), org_id=org_id)
        assert (await gateway.jetstream.stream_info("CMD")).state.messages == 1
    finally:
        await gateway.close()
        await answers.stop()


async def test_a_server_whose_certificate_no_known_authority_signed_is_not_spoken_to(
    guarded: str, tmp_path: Path
):
    (tmp_path / "other").mkdir()
    _certificate(tmp_path / "other")
    settings = _settings(guarded, tmp_path, "auth").model_copy(
        update={"nats_ca_file": tmp_path / "other" / "ca.pem"}
    )
    connecting = asyncio.create_task(Bus.connect(settings, "auth"))
    _, waiting = await asyncio.wait({connecting}, timeout=1)
    assert waiting
    connecting.cancel()


def test_a_process_is_one_user_of_the_bus(tmp_path: Path):
    seed = tmp_path / "user.nk"
    seed.write_bytes(base64.b32encode(os.urandom(32)))
    with pytest.raises(ValidationError, match="only one may be set"):
        BusSettings(nats_url="nats://one:4222", nats_user="auth", nats_nkey_seed_file=seed)
    with pytest.raises(ValidationError, match="file"):
        BusSettings(nats_url="nats://one:4222", nats_creds_file=tmp_path / "nowhere.creds")
