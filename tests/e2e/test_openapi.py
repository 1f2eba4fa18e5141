"""Every operation of the OpenAPI document, called with generated requests, signed in and not.

No answer may be a 5xx, and each must be one that the document describes: status, type of content,
headers, schema. `SCHEMATHESIS_EXAMPLES` is the number of requests an operation (25).
"""

import os
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.app import create_app
from gateway.settings import Settings

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))

OF_EVERY_ANSWER = {
    *("cache-control", "connection", "content-length", "content-type", "date", "transfer-encoding"),
    *("allow", "set-cookie", "traceresponse", "vary"),
}
SECURITY = ("x-", "referrer-", "content-security-", "strict-transport-", "cross-origin-")
"""How headers begin that tell a browser what it may do."""


def headers_are_documented(context: CheckContext, response: Response, case: Case) -> bool | None:
    """Nothing comes in a header that the document does not name."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is None:
        return None
    known = {name.lower() for name, _ in described.headers.items()} | OF_EVERY_ANSWER
    found = {name for name in response.headers if not name.startswith(SECURITY)}
    assert found <= known, f"{sorted(found - known)} is not in the document"
    return None


CHECKS: list[CheckFunction] = [
    headers_are_documented,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

STREAMS = r"^/api/v1/(events/stream|runs/\{run_id\}/events)$"
"""They do not end: signed in they are held against the document by a test of their own."""

# The document needs no connection; these addresses are never used.
_settings = Settings(nats_url="nats://127.0.0.1", object_store_url="file:///tmp/nowhere")
DOCUMENT = create_app(_settings).openapi()

schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.generation.update(deterministic=True, max_examples=EXAMPLES)
schema.config.phases.coverage.enabled = False

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@pytest.fixture(scope="module")
def token(running) -> Iterator[str]:
    """The access token of an owner whose organisation has one of each resource."""
    with httpx.Client(base_url=f"{running.url}/api/v1", timeout=60) as client:
        name = os.urandom(6).hex()
        account = {
            "email": f"{name}@example.org",
            "password": f"a long pass phrase {name}",
            "organization_name": f"Organisation {name}",
        }
        session = client.post("/auth/signup", json=account)
        assert session.status_code == 201, session.text
        yield session.json()["access_token"]


@pytest.fixture(scope="module")
def known(running, token: str) -> dict[str, str]:
    """Ids of what is there, by the name of the parameter."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{running.url}/api/v1", timeout=60, headers=headers) as client:

        def made(response: httpx.Response) -> dict[str, str]:
            assert response.is_success, response.text
            return response.json()

        file = {"file": ("people.csv", b"name,age\nAsha,31\nBen,17\nChidi,45\n")}
        upload = made(client.post("/uploads", files=file))
        config = {"upload_id": upload["upload_id"]}
        body = {"type": "csv", "name": "people", "config": config}
        source = made(client.post("/sources", json=body))
        run = made(client.post(f"/sources/{source['id']}/sync", headers={"Prefer": "wait=60"}))
        assert run["status"] == "succeeded", run
        recipe = {"steps": [{"type": "source", "table": "people"}]}
        body = {"name": "same", "recipe": recipe}
        transformation = made(client.post("/transformations", json=body))
        body = {"name": "all", "source_ids": [source["id"]]}
        pipeline = made(client.post("/pipelines", json=body))
        return {
            "source_id": source["id"],
            "transformation_id": transformation["id"],
            "pipeline_id": pipeline["id"],
            "run_id": run["id"],
        }


def is_id(value: object) -> bool:
    try:
        return str(UUID(str(value))) == str(value).lower()
    except ValueError:
        return False


def checked(case: Case, url: str, token: str | None, known: dict[str, str]) -> None:
    """Send a request, to what is there where it names something, and hold its answer against all."""
    if case.method != "DELETE":
        for name, value in (case.path_parameters or {}).items():
            if name in known and is_id(value):
                case.path_parameters[name] = known[name]
            elif name == "name" and token is not None and len(str(value)) % 2:
                case.path_parameters[name] = "people"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=100)


@schema.exclude(path_regex=STREAMS).parametrize()
@bounded
def test_an_owner_is_answered_as_the_document_says(case: Case, running, token, known):
    checked(case, running.url, token, known)


@schema.parametrize()
@bounded
def test_nobody_is_answered_as_the_document_says(case: Case, running, known):
    checked(case, running.url, None, {})


@pytest.mark.parametrize("path", ["/events/stream", "/runs/{run_id}/events"])
def test_a_stream_begins_as_the_document_says(running, token, known, path):
    described = DOCUMENT["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]
    url = f"{running.url}/api/v1{path.format(**known)}"
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("GET", url, headers=headers, timeout=30) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] in described["content"]
        first = next(response.iter_lines())
    assert first.startswith(("event:", "data:", "id:", ":"))


def test_no_operation_is_left_out():
    operations = {path for path in DOCUMENT["paths"] if "/api/v1/" in path}
    assert len(operations) > 40
    streams = {path for path in operations if path.endswith(("/events/stream", "{run_id}/events"))}
    assert len(streams) == 2
