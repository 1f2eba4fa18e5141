"""Every operation of the OpenAPI document, called well and badly, by an owner, a viewer and nobody.

No answer may be a 5xx, and each must be one that the document describes: status, type of content,
headers, schema. `OPENAPI_EXAMPLES` is the number of generated requests an operation (4), of
requests at the bounds of its values four times that. Where it is set, requests are chosen anew in
every run; `just openapi` sets it.
"""

import os
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation.case import Case

from .interface import hostile
from .interface.checking import at_bounds, check, faults_of, generated
from .interface.document import (
    CHECKS,
    DOCUMENT,
    OPERATIONS,
    READS,
    SECURED,
    STREAMS,
    methods_at,
    operations_with_a_body,
    schema,
)
from .interface.good import GOOD, good_requests
from .interface.organization import Organization, founded
from .interface.requests import send

IS_LONG = "OPENAPI_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "4"))
AT_BOUNDS = EXAMPLES * 4

ENVIRONMENT = {
    "EVENTS_PER_MINUTE": "1000000",
    "FAILED_LOGINS_PER_HOUR": "1000000",
    "RENEWALS_PER_HOUR": "1000000",
    "REQUESTS_PER_MINUTE_OF_ADDRESS": "1000000",
    "REQUESTS_PER_MINUTE_OF_ORGANIZATION": "1000000",
    "RUN_STARTS_PER_MINUTE": "1000000",
    "SIGNUPS_PER_HOUR": "1000000",
}
"""Of the stack: what is refused for its rate tests nothing."""

ANSWERING = [name for name in OPERATIONS if name not in STREAMS]
SIGNED_IN = [name for name, found in OPERATIONS.items() if found.definition.raw.get("security")]
PERSONS = ("owner", "viewer", "nobody")

schema.config.generation.update(deterministic=not IS_LONG, max_examples=EXAMPLES)

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=not IS_LONG,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@pytest.fixture(scope="module")
def organization(running) -> Organization:
    return founded(running.url, running.layout)


@pytest.fixture(scope="module")
def clients(running, organization: Organization) -> Iterator[dict[str, httpx.Client]]:
    """For each person a client that is signed in as such."""
    opened = {
        person: httpx.Client(
            base_url=running.url,
            timeout=100,
            headers={"Authorization": f"Bearer {organization.tokens[person]}"}
            if person in organization.tokens
            else {},
        )
        for person in PERSONS
    }
    yield opened
    for client in opened.values():
        client.close()


@pytest.mark.parametrize("operation_id", ANSWERING)
def test_hostile_values_of_an_owner_are_answered_as_the_document_says(
    operation_id, clients, organization
):
    found = faults_of(operation_id, clients["owner"], organization.known)
    assert not found, f"{len(found)} answers, such as:\n" + "\n".join(found[:5])


@pytest.mark.parametrize("operation_id", ANSWERING)
def test_hostile_values_of_nobody_are_answered_as_the_document_says(
    operation_id, clients, organization
):
    kinds = ("NUL", "half a surrogate pair", "9,000 brackets") if operation_id in SIGNED_IN else ()
    found = faults_of(operation_id, clients["nobody"], organization.known, *kinds)
    assert not found, f"{len(found)} answers, such as:\n" + "\n".join(found[:5])


@pytest.mark.parametrize("operation_id", ANSWERING)
def test_a_good_request_is_answered_well(operation_id, clients, organization):
    for good in good_requests(operation_id):
        response = send(clients["owner"], operation_id, good, organization.known)
        assert response.status_code in good.answers, response.text
        check(operation_id, response)


@pytest.mark.parametrize("operation_id", ANSWERING)
def test_a_viewer_changes_nothing(operation_id, clients, organization):
    operation = OPERATIONS[operation_id]
    for good in good_requests(operation_id):
        response = send(clients["viewer"], operation_id, good, organization.known)
        check(operation_id, response)
        is_open = operation.method == "get" or operation_id in READS or "/auth/" in operation.path
        assert (response.status_code == 403) is not is_open, response.text


@pytest.mark.parametrize("operation_id", SIGNED_IN)
def test_no_other_token_opens_anything(operation_id, clients, organization):
    for good in good_requests(operation_id):
        for token in hostile.TOKENS:
            client = clients["nobody"]
            client.headers = {} if token is None else {b"Authorization": token}
            response = send(client, operation_id, good, organization.known)
            client.headers = {}
            assert response.status_code == 401, response.text
            check(operation_id, response)


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_other_methods_are_refused_with_those_that_there_are(path, clients, organization):
    known = organization.known | {"number": "1", "version": "1", "name": "people"}
    address = path.format(**known)
    documented = methods_at(address)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - documented:
        response = clients["owner"].request(method, address)
        shown = {name.strip() for name in response.headers.get("allow", "").split(",")}
        assert (response.status_code, shown) == (405, documented), method
        assert response.json()["code"] == "method_not_allowed"


def sent(case: Case, person: str, url: str, organization: Organization) -> None:
    """Send a request, to what is there where it names something, and hold its answer against all."""
    if person == "owner" and case.method != "DELETE":
        for name in case.path_parameters or {}:
            if name in organization.known and case.meta and case.meta.generation.mode.is_positive:
                case.path_parameters[name] = organization.known[name]
            elif name == "name" and len(str(case.path_parameters[name])) % 2:
                case.path_parameters[name] = "people"
    token = organization.tokens.get(person)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    checks = SECURED if person == "nobody" else CHECKS
    response = case.call_and_validate(base_url=url, headers=headers, checks=checks, timeout=100)
    assert response.status_code != 429, response.text


@pytest.mark.parametrize("operation_id", ANSWERING)
def test_requests_at_the_bounds_are_answered_as_the_document_says(
    operation_id, running, organization
):
    for number, case in enumerate(at_bounds(operation_id, AT_BOUNDS)):
        sent(case, ("owner", "owner", "viewer", "nobody")[number % 4], running.url, organization)


@pytest.mark.parametrize("person", ["owner", "nobody"])
@pytest.mark.parametrize("operation_id", ANSWERING)
def test_generated_requests_are_answered_as_the_document_says(
    operation_id, person, running, organization
):
    # Not at collection, which every worker of a parallel run would wait for.
    @bounded
    @given(generated(operation_id))
    def each(case: Case) -> None:
        sent(case, person, running.url, organization)

    each()


@pytest.mark.parametrize("operation_id", STREAMS)
def test_a_stream_begins_as_the_document_says(operation_id, running, organization):
    operation = OPERATIONS[operation_id]
    described = operation.definition.raw["responses"]["200"]
    url = running.url + operation.path.format(**organization.known)
    headers = {"Authorization": f"Bearer {organization.tokens['owner']}"}
    with httpx.stream("GET", url, headers=headers, timeout=30) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] in described["content"]
        first = next(response.iter_lines())
    assert first.startswith(("event:", "data:", "id:", ":"))


def test_every_body_has_a_good_request():
    assert operations_with_a_body() == {
        name for name, found in GOOD.items() if any(good.body for good in found)
    }
    assert set(GOOD) <= set(OPERATIONS)
