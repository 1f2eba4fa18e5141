"""Uploads: streamed into the store as they come, and nothing is left of what failed."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest
from fastapi import FastAPI, Request

from chassis.objects import Objects
from contracts.envelope import new_id
from contracts.problem import problem
from gateway import problems
from gateway.uploads import stored

MB = 1024 * 1024
LIMIT = 200 * MB
BOUNDARY = "the-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def org():
    return new_id()


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
async def client(folder, org) -> AsyncIterator[httpx.AsyncClient]:
    """The upload of the gateway without its edge: `fails` in the query is the answer to the registration."""
    app = FastAPI()
    problems.install(app)
    objects = Objects(folder.as_uri())

    @app.post("/")
    async def upload(request: Request, limit: int = LIMIT, fails: int = 0, key: str = "") -> dict:
        async with stored(objects, request, org, limit, key or None) as file:
            if fails:
                raise problem(fails, "refused", "Not taken.")
            return {**vars(file), "upload_id": str(file.upload_id)}

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def part(content: bytes, name: str = "file", filename: str | None = "data.csv") -> bytes:
    shown = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_file_arrives_as_it_was_sent(client, folder, org):
    content = bytes(range(256)) * 1000 + b"\r\n--the-boundar\r\n"
    response = await client.post("/", files={"file": ("डेटा.csv", content)})
    assert response.status_code == 200
    told = response.json()
    assert (told["filename"], told["size_bytes"]) == ("डेटा.csv", len(content))
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    (path,) = files(folder)
    assert path == folder / "org" / org.hex / "uploads" / told["upload_id"]
    assert path.read_bytes() == content


async def test_pieces_may_be_cut_anywhere(client, folder):
    body = part(b"a,b\r\n1,2\r\n--the-boundary-not\r\n") + END

    async def one_by_one() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])

    response = await client.post("/", content=one_by_one(), headers=FORM)
    assert response.status_code == 200
    assert files(folder)[0].read_bytes() == b"a,b\r\n1,2\r\n--the-boundary-not\r\n"


async def test_an_empty_file_is_a_file(client, folder):
    response = await client.post("/", content=part(b"") + END, headers=FORM)
    assert response.json()["size_bytes"] == 0
    assert files(folder)[0].read_bytes() == b""


async def test_a_hundred_megabytes_pass_through_a_small_memory(client, folder):
    process = psutil.Process()
    before = process.memory_info().rss
    most = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal most
        yield part(b"")[:-2]
        for number in range(100 * 16):
            yield bytes([number % 256]) * (MB // 16)
            if number % 16 == 0:
                most = max(most, process.memory_info().rss - before)
        yield b"\r\n" + END

    response = await client.post("/", content=body(), headers=FORM)
    assert response.json()["size_bytes"] == 100 * MB
    assert most < 50 * MB


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\own.csv", "own.csv"),
        ("a\tb.csv", "ab.csv"),
        ("../", "upload"),
        ("x" * 400, "x" * 255),
    ],
)
async def test_a_file_name_is_for_people_and_never_a_path(client, folder, org, name, shown):
    response = await client.post("/", content=part(b"x", filename=name) + END, headers=FORM)
    assert response.json()["filename"] == shown
    assert [path.parent for path in files(folder)] == [folder / "org" / org.hex / "uploads"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (END, "no_file"),
        (b"", "no_file"),
        (part(b"x", name="other") + END, "no_file"),
        (part(b"x", filename=None) + END, "no_file"),
        (part(b"x") + part(b"y") + END, "no_file"),
        (part(b"x") + part(b"y", name="note", filename=None) + END, "no_file"),
        (part(b"x" * 1000), "upload_broken_off"),
        (b"this is no form at all", "upload_broken_off"),
    ],
)
async def test_a_form_that_is_not_one_file_is_refused_and_leaves_nothing(
    client, folder, body, code
):
    response = await client.post("/", content=body, headers=FORM)
    assert response.json()["code"] == code
    assert files(folder) == []


@pytest.mark.parametrize("kind", ["text/csv", "multipart/form-data", "application/json"])
async def test_a_body_that_is_no_form_is_refused(client, folder, kind):
    response = await client.post("/", content=b"a,b", headers={"Content-Type": kind})
    assert (response.status_code, response.json()["code"]) == (422, "not_a_form")


async def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(client, folder):
    body = part(b"x" * (12 * MB)) + END
    response = await client.post("/", params={"limit": 11 * MB}, content=body, headers=FORM)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert files(folder) == []


async def test_a_file_of_exactly_the_limit_is_taken(client):
    response = await client.post(
        "/", params={"limit": 1000}, content=part(b"x" * 1000) + END, headers=FORM
    )
    assert response.status_code == 200


async def test_a_line_that_breaks_leaves_nothing(client, folder):
    async def body() -> AsyncIterator[bytes]:
        yield part(b"x" * MB)[:-2]
        for _ in range(10):
            yield b"x" * MB
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await client.post("/", content=body(), headers=FORM)
    assert files(folder) == []


async def test_an_upload_that_nobody_registered_leaves_nothing(client, folder):
    response = await client.post("/", params={"fails": 503}, content=part(b"x") + END, headers=FORM)
    assert response.status_code == 503
    assert files(folder) == []


async def test_a_file_that_is_refused_is_not_left_under_its_key_either(client, folder):
    given = {"key": "k", "fails": 409}
    response = await client.post("/", params=given, content=part(b"x") + END, headers=FORM)
    assert response.status_code == 409
    assert files(folder) == []


async def test_the_same_key_and_content_are_the_same_upload(client, folder):
    async def send(content: bytes) -> str:
        body = part(content) + END
        response = await client.post("/", params={"key": "k"}, content=body, headers=FORM)
        return response.json()["upload_id"]

    first = await send(b"a,b")
    assert await send(b"a,b") == first
    assert await send(b"c,d") != first
    assert sorted(path.read_bytes() for path in files(folder)) == [b"a,b", b"c,d"]
