"""Every operation, with hostile text and numbers in each place that takes input, one at a time.

Values on which servers break: what neither PostgreSQL nor JSON can hold, numbers that no type holds,
times at the ends of the calendar, text that is long or deeply nested. Answers are held against the
OpenAPI document as in test_openapi.py.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core import NOT_SET
from schemathesis.generation.case import Case

from .test_openapi import CHECKS, DOCUMENT, known, schema, token

__all__ = ["known", "token"]

IN_PATHS = ["%00", "%ED%A0%80", "a%00b", "%C0%AF", "%FF", "9" * 5000, "..%2F..", "%E2%80%AE"]
"""As they stand in an address."""
IN_QUERIES = [
    *IN_PATHS,
    str(2**70),
    "-1",
    "1e400",
    "NaN",
    "0001-01-01T00%3A00%3A00%2B14%3A00",
    "9999-12-31T23%3A59%3A59-14%3A00",
    quote("[" * 9000),
    # A cursor of another kind: base64 of a list of JSON.
    "WzEsMiwzXQ",
    "bnVsbA",
    "",
]
IN_HEADERS = [
    f'"{2**70}"',
    f'W/"{2**70}"',
    "*",
    "wait=" + "9" * 5000,
    "wait=-1",
    "9" * 5000,
    "\xff\xfe",
    "[" * 5000,
    "Bearer " + "a." * 3000,
    "",
]
IN_BODIES = [
    r'"\u0000"',
    r'"a\u0000b"',
    r'"\ud800"',
    r'"a\udfffb"',
    r'"\u001b[2J"',
    '"' + "a" * 100_000 + '"',
    "9" * 5000,
    "-" + "9" * 400,
    "1e400",
    str(2**63),
    str(2**70),
    '"0001-01-01T00:00:00+14:00"',
    "[" * 9000 + "]" * 9000,
    '{"a":' * 9000 + "1" + "}" * 9000,
    "null",
    "[]",
    "{}",
    "true",
]
"""As JSON is written."""

MARK = "the place"
JSON = "application/json"
STREAMS = ("/api/v1/events/stream", "/api/v1/runs/{run_id}/events")
"""They do not end: nothing of theirs is read but the head."""


@dataclass(frozen=True)
class Variant:
    """A request that is as it should be but in one place."""

    place: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None


def operations() -> list[tuple[str, str]]:
    return [
        (path, method.upper())
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if path.startswith("/api/v1/")
    ]


def parameters(path: str, method: str, place: str) -> list[str]:
    """Names of the parameters of an operation in its path, query or headers."""
    found = DOCUMENT["paths"][path][method.lower()].get("parameters", [])
    return [each["name"] for each in found if each["in"] == place]


def parts(value: Any) -> Iterator[Any]:
    """Copies of a JSON value, each with the mark in another place; in the first the mark is all."""
    yield MARK
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: part} for part in parts(inner))
        yield {**value, "another": MARK}
    if isinstance(value, list):
        for index, inner in enumerate(value[:2]):
            yield from ([*value[:index], part, *value[index + 1 :]] for part in parts(inner))


def variants(path: str, method: str, body: Any, known: Mapping[str, str]) -> Iterator[Variant]:
    """The requests that are made of one operation; `body`: one that is as it should be, or NOT_SET."""
    ids = {name: known.get(name, "people") for name in parameters(path, method, "path")}
    here = path.format(**ids)
    plain = None if body is NOT_SET else json.dumps(body)
    for name in ids:
        for value in IN_PATHS:
            yield Variant(name, path.format(**{**ids, name: value}), body=plain)
    for name in parameters(path, method, "query"):
        for value in IN_QUERIES:
            yield Variant(name, here, query=f"{quote(name)}={value}", body=plain)
    for name in [*parameters(path, method, "header"), "Authorization", "X-Request-Id"]:
        for value in IN_HEADERS:
            yield Variant(name, here, headers=((name, value),), body=plain)
    if plain is None:
        return
    for number, part in enumerate(parts(body)):
        # The whole body is each of them; of its parts, every third.
        for value in IN_BODIES if number == 0 else islice(IN_BODIES, number % 3, None, 3):
            yield Variant(f"part {number}", here, body=json.dumps(part).replace(f'"{MARK}"', value))


def send(client: httpx.Client, case: Case, variant: Variant) -> int:
    """The status of the answer, which is one that the document has."""
    content = None if variant.body is None else variant.body.encode()
    headers = [(name.encode(), value.encode("latin-1")) for name, value in variant.headers]
    if content is not None:
        headers.append((b"Content-Type", JSON.encode()))
    url = f"{variant.path.removeprefix('/api/v1')}?{variant.query}".rstrip("?")
    request = client.build_request(case.method, url, headers=headers, content=content)
    response = client.send(request, stream=True)
    try:
        if response.status_code == 200 and case.operation.path in STREAMS:
            return 200
        response.read()
        case.validate_response(response, checks=CHECKS)
    except BaseExceptionGroup:
        print(f"\nHOSTILE {variant.place} of {request.method} {str(variant)[:2000]}")
        raise
    finally:
        response.close()
    return response.status_code


def tried(
    client: httpx.Client, path: str, method: str, known: Mapping[str, str]
) -> Callable[[], list[int]]:
    """Sends all variants of one generated request; the statuses."""
    operation = schema[path][method]
    statuses: list[int] = []

    @settings(
        max_examples=1,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
    @given(case=operation.as_strategy())
    def all_variants(case: Case) -> None:
        is_json = case.media_type == JSON
        body = case.body if is_json else NOT_SET
        statuses.extend(
            send(client, case, variant) for variant in variants(path, method, body, known)
        )

    def run() -> list[int]:
        all_variants()
        return statuses

    return run


@pytest.mark.parametrize(("path", "method"), operations(), ids=str)
def test_hostile_input_is_answered_as_the_document_says(
    running, token, known, path: str, method: str
):
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{running.url}/api/v1"
    with httpx.Client(base_url=base, headers=headers, timeout=100) as client:
        # What would end the session, or take away what the others name, is sent as nobody.
        if method == "DELETE" or path.startswith("/api/v1/auth/"):
            client.headers.pop("Authorization")
        statuses = tried(client, path, method, known)()
    assert len(statuses) >= 2 * len(IN_HEADERS)
    assert statuses.count(429) < len(statuses) / 2, "too few were answered to say anything"
