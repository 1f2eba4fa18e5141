"""Addresses that users give lead nowhere inside our own network."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis import egress


class Redirecting(BaseHTTPRequestHandler):
    """`/to?<address>` sends there; everything else answers what it was asked."""

    def do_GET(self) -> None:
        where = self.path.partition("/to?")[2]
        self.send_response(302 if where else 200)
        if where:
            self.send_header("Location", where)
        body = b"" if where else str(self.headers.get("Authorization")).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254"),
        *("172.16.0.1", "192.168.1.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
        *("2002:7f00:1::", "2002:a00:1::", "2001:db8::1", "2001:0:a00:1::1"),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_told(address: str) -> None:
    assert not egress.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "104.18.6.1", "2606:4700::6810:1"])
def test_a_public_address_is_told(address: str) -> None:
    assert egress.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.0.0.1/"),
        *("https://169.254.169.254/latest/meta-data", "https://2130706433/", "https://0x7f.1/"),
        *("https://[::ffff:127.0.0.1]/", "https://0/"),
    ],
)
def test_a_private_address_is_not_called_however_it_is_written(url: str) -> None:
    with egress.client() as client, pytest.raises(egress.Refused, match="private network"):
        client.get(url)


def test_an_address_without_encryption_is_refused(server: str) -> None:
    with egress.client() as client, pytest.raises(egress.Refused, match="https://"):
        client.get(server)


def test_a_user_name_in_the_address_is_refused() -> None:
    with egress.client() as client, pytest.raises(egress.Refused, match="password"):
        client.get("https://me:secret@example.org/")


def test_an_origin_that_the_operator_allows_is_called(server: str) -> None:
    with egress.client([server]) as client:
        assert client.get(server, headers={"Authorization": "Token x"}).text == "Token x"


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:1/", "http://example.org/", "https://127.0.0.1:1/", "https://localhost/"],
)
def test_every_redirect_is_looked_at(server: str, target: str) -> None:
    with egress.client([server]) as client, pytest.raises(egress.Refused):
        client.get(f"{server}/to?{target}")


def test_redirects_have_an_end(server: str) -> None:
    with egress.client([server]) as client, pytest.raises(httpx.TooManyRedirects):
        client.get(f"{server}/to?{server}/to?{server}/to?{server}/to?{server}/to?{server}/to?/to?")


def test_a_name_is_resolved_once_and_that_answer_is_called(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.rpartition(":")[2])
    asked: list[str] = []

    def answers(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.255.255.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with egress.client([f"http://rebound.test:{port}"]) as client:
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            # The socket itself asks for the numeric address again, which resolves nothing.
            lambda host, *a, **k: real(host, *a, **k) if host[0].isdigit() else answers(host),
        )
        assert client.get(f"http://rebound.test:{port}/").status_code == 200
    assert asked == ["rebound.test"]


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """A server that proves to be `kobo.test`: its port, and whom to trust for that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kobo.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("kobo.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    both = tmp_path / "server.pem"
    both.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    proof = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    proof.load_cert_chain(both)
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as listening:
        listening.socket = proof.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        trusted = ssl.create_default_context(
            cadata=certificate.public_bytes(serialization.Encoding.PEM).decode()
        )
        yield listening.server_address[1], trusted
        listening.shutdown()
        thread.join()


def test_a_server_proves_the_name_that_was_asked_for_though_its_address_is_called(
    encrypted: tuple[int, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, trusted = encrypted
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **k: real("127.0.0.1" if host.endswith(".test") else host, *a, **k),
    )
    names = [f"https://{name}.test:{port}" for name in ("kobo", "other")]
    with egress.client(names, verify=trusted) as client:
        assert client.get(names[0]).status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            client.get(names[1])
    with (
        egress.client(names) as distrusting,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        distrusting.get(names[0])


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("10.0.0.1", 443))],
    )
    with egress.client() as client, pytest.raises(egress.Refused, match=r"split\.test"):
        client.get("https://split.test/")


def test_a_name_that_nobody_knows_is_a_failed_connection() -> None:
    with egress.client() as client, pytest.raises(httpx.ConnectError, match="was not found"):
        client.get("https://nobody.invalid/")
