"""What no field takes, sent over real HTTP to real services: refused with its name, never a 500."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from contracts.envelope import new_id

SURROGATE, NUL = "\ud800", "\0"
DEEP = "[" * 9_000 + "]" * 9_000


def nots(levels: int) -> bytes:
    return b'{"not": ' * levels + b"{}" + b"}" * levels


RECIPE = {"steps": [{"type": "source", "table": "x"}]}
HUGE = 2**70


@dataclass(frozen=True)
class Case:
    """A request, and what must come of it; `at` is the field of the first error, if it names one."""

    method: str
    path: str
    status: int
    at: str | None = None
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        body = self.content if self.json is None else json.dumps(self.json).encode()
        kind = {"Content-Type": "application/json"} if body is not None else {}
        headers = kind | self.headers
        return await client.request(self.method, self.path, content=body, headers=headers)


def account(**changes: object) -> dict[str, object]:
    return {
        "email": f"{new_id().hex}@example.org",
        "password": "a long and quiet sentence",
        "organization_name": "Wells",
    } | changes


def csv(**changes: object) -> dict[str, object]:
    config = {"upload_id": str(new_id())} | changes
    return {"type": "csv", "name": "x", "config": config}


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def filtered(value: object) -> dict[str, object]:
    where = {"column": "a", "operator": "equals", "value": value}
    step = {"type": "filter", "id": "f1", "where": where}
    return {"recipe": {"steps": [*RECIPE["steps"], step]}}


ID = str(new_id())
EVENT = {"specversion": "1.0", "id": "1", "source": "etl", "type": "a.b"}
EVENTS = {"Content-Type": "application/cloudevents+json"}

TEXT = [
    case
    for bad in (NUL, SURROGATE)
    for case in (
        Case("POST", "/auth/signup", 422, "organization_name", account(organization_name=bad)),
        Case("POST", "/auth/signup", 422, "email", account(email=f"a{bad}@example.org")),
        Case("POST", "/auth/signup", 422, "password", account(password="a long one" + bad * 9)),
        Case("POST", "/auth/signup", 422, "name", account(name=bad)),
        Case("POST", "/auth/login", 422, "email", {"email": bad, "password": "x"}),
        Case("POST", "/auth/login", 422, "password", {"email": "a@b.org", "password": bad}),
        Case("POST", "/pipelines", 422, "name", {"name": f"a{bad}"}),
        Case("POST", "/sources", 422, "name", csv() | {"name": bad}),
        Case("POST", "/sources", 422, "config.columns", csv(columns={bad: {}})),
        Case("POST", "/sources", 422, "config.delimiter", csv(delimiter=bad)),
        Case("POST", "/transformations", 422, "name", {"name": bad, "recipe": RECIPE}),
        Case(
            "POST",
            "/transformations",
            422,
            "description",
            {"name": "x", "description": bad, "recipe": RECIPE},
        ),
        Case("POST", "/transformations/validate", 422, "where.value", filtered(bad)),
        Case("POST", "/transformations/preview", 422, "where.value", filtered(bad)),
        Case(
            "PUT",
            f"/pipelines/{ID}/schedule",
            422,
            "timezone",
            {"frequency": "daily", "timezone": bad},
        ),
        Case("POST", "/events", 422, "data.note", EVENT | {"data": {"note": bad}}, headers=EVENTS),
        Case("POST", "/events", 422, "id", EVENT | {"id": bad}, headers=EVENTS),
    )
]
NAMES = [
    Case("POST", "/auth/signup", 422, "organization_name", account(organization_name="a\nb")),
    Case("POST", "/pipelines", 422, "name", {"name": "a\tb"}),
    Case("POST", "/pipelines", 422, "name", {"name": "a\x1b[31m"}),
    Case("POST", "/pipelines", 422, "name", {"name": "a\x85b"}),
    Case("POST", "/sources", 422, "name", csv() | {"name": "a\r\nb"}),
    Case("POST", "/transformations", 422, "name", {"name": "a\nb", "recipe": RECIPE}),
    Case(
        "POST",
        "/transformations",
        422,
        "description",
        {"name": "x", "description": "a\x07", "recipe": RECIPE},
    ),
]
ADDRESSES = [
    Case("GET", "/warehouse/tables/%00", 422, "name"),
    Case("GET", "/warehouse/tables/a%00b/preview", 422, "name"),
    Case("GET", "/warehouse/tables/%ff", 400),
    Case("GET", "/warehouse/tables/%ed%a0%80", 400),
    Case("GET", "/warehouse/tables/x/preview?sort=%00", 422, "sort"),
    Case("GET", "/warehouse/tables/x/preview?filter=%ff", 400),
    Case("GET", "/runs?%00=1", 422, "query"),
    Case("GET", "/runs?created_after=0001-01-01T00:00:00%2B14:00", 422, "created_after"),
    Case("GET", "/runs?created_before=9999-12-31T23:59:59-14:00", 422, "created_before"),
    Case("GET", f"/warehouse/tables/x/preview?offset={HUGE}", 422, "offset"),
    Case("GET", "/runs?limit=" + "9" * 5_000, 422, "limit"),
    Case("GET", f"/transformations/{ID}/versions/{HUGE}", 422, "version"),
]
CURSORS = [
    Case("GET", f"/{lists}?cursor={given}", 400, "cursor")
    for lists, kinds in {
        "pipelines": 1,
        "sources": 2,
        "runs": 2,
        "transformations": 2,
        "warehouse/tables": 1,
        f"pipelines/{ID}/runs": 2,
    }.items()
    for given in (
        "x",
        cursor(),
        cursor(*[NUL] * kinds),
        cursor(*[None] * kinds),
        cursor(*["a"] * (kinds + 1)),
        *([cursor("a", "not an id")] if kinds == 2 else []),
        base64.urlsafe_b64encode(DEEP[:600].encode()).decode(),
    )
] + [
    Case("GET", f"/runs?cursor={cursor('0001-01-01T00:00:00+14:00', ID)}", 400, "cursor"),
    Case("GET", f"/runs?cursor={cursor('2026-01-01T00:00:00', ID)}", 400, "cursor"),
]
HEADERS = [
    Case("DELETE", f"/pipelines/{ID}", 412, headers={"If-Match": f'"{HUGE}"'}),
    Case(
        "DELETE", f"/pipelines/{ID}", 422, "if-match", headers={"If-Match": '"' + "9" * 5_000 + '"'}
    ),
    Case(
        "PUT", f"/transformations/{ID}", 412, json={"name": "x"}, headers={"If-Match": f'"{2**31}"'}
    ),
    Case("POST", f"/pipelines/{ID}/run", 422, "prefer", headers={"Prefer": "wait=" + "9" * 5_000}),
    Case(
        "POST",
        "/pipelines",
        422,
        "idempotency-key",
        {"name": "x"},
        headers={"Idempotency-Key": "k" * 256},
    ),
    Case("GET", f"/runs/{ID}/events", 422, "Last-Event-ID", headers={"Last-Event-ID": str(HUGE)}),
    Case("GET", "/events/stream", 422, "Last-Event-ID", headers={"Last-Event-ID": str(HUGE)}),
    Case("GET", "/runs", 431, headers={"X-Anything": "a" * 20_000}),
]
DOCUMENTS = [
    Case("GET", "/warehouse/tables/x/preview?filter=" + DEEP[:9_000] , 422, "filter"),
    Case("GET", "/warehouse/tables/x/preview?filter=" + "[" * 200 + "]" * 200, 422, "filter"),
    Case("POST", "/pipelines", 422, "", content=DEEP.encode()),
    Case("POST", "/pipelines", 422, "name", content=b'{"name": %s}' % (b"[" * 100 + b"]" * 100)),
    Case("POST", "/transformations/preview", 422, "", content=b'{"recipe": %s}' % nots(9_000)),
    Case("POST", "/transformations/preview", 422, "recipe", content=b'{"recipe": %s}' % nots(300)),
    Case("POST", "/events", 422, "", content=DEEP.encode(), headers=EVENTS),
    Case("POST", "/events", 422, "data", content=json.dumps(EVENT).encode()[:-1] + b', "data": %s}' % nots(300), headers=EVENTS),
    Case("POST", "/pipelines", 400, content=b'{"name": "\xff"}'),
    Case("POST", "/pipelines", 400, content=b'{"name": ' + b"9" * 5_000 + b"}"),
    Case("POST", "/transformations/validate", 422, "where.value", content=json.dumps(filtered(HUGE)).encode()),
    Case("POST", "/transformations/validate", 422, "where.value", content=json.dumps(filtered("?")).replace('"?"', "NaN").encode()),
    Case("POST", "/transformations/validate", 422, "where.value", content=json.dumps(filtered("?")).replace('"?"', "1e999").encode()),
    Case("POST", "/sources", 422, "config.header_row", csv(header_row=HUGE)),
    Case("POST", "/sources", 422, "config.header_row", csv(header_row=2**40)),
    Case("PUT", f"/pipelines/{ID}/schedule", 422, "grace_minutes", {"frequency": "daily", "grace_minutes": HUGE}),
    Case("POST", "/transformations/preview", 422, "offset", {"recipe": RECIPE, "offset": HUGE}),
]  # fmt: skip


@pytest.mark.parametrize(
    "cases",
    [TEXT, NAMES, ADDRESSES, CURSORS, HEADERS, DOCUMENTS],
    ids=["text", "names", "addresses", "cursors", "headers", "documents"],
)
async def test_what_no_field_takes_is_refused_by_name(
    start_service: Callable[..., Any], member, cases: list[Case]
):
    for service in ("ingest", "transform", "orchestrator"):
        await start_service(service)
    wrong = []
    for case in cases:
        response = await case.send(member.client)
        shown = f"{case.method} {case.path[:80]}: {response.status_code} {response.text[:200]}"
        if response.status_code != case.status:
            wrong.append(f"{shown}; {case.status} was expected")
        elif response.headers["content-type"] != "application/problem+json":
            wrong.append(f"{shown}; no problem")
        elif case.at is not None and [e["field"] for e in response.json()["errors"]][:1] != [
            case.at
        ]:
            wrong.append(f"{shown}; the field is {case.at!r}")
    assert wrong == [], "\n".join(wrong)


async def test_a_fault_in_a_recipe_names_its_step(member):
    response = await member.client.post(
        "/transformations/preview",
        content=json.dumps(filtered(NUL)),
        headers={"Content-Type": "application/json"},
    )
    (error,) = response.json()["errors"]
    assert (error["step"], error["step_id"], error["field"]) == (1, "f1", "where.value")
    assert "U+0000" in error["message"]


async def test_tabs_and_line_ends_are_part_of_long_texts(start_service, member):
    for service in ("transform", "orchestrator"):
        await start_service(service)
    response = await member.client.post(
        "/transformations", json={"name": "x", "description": "a\tb\r\nc", "recipe": RECIPE}
    )
    assert "description" not in {error["field"] for error in response.json()["errors"]}


async def test_a_file_name_that_is_not_utf8_is_shown_without_harm(start_service, member):
    await start_service("ingest")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\xff\x00\x1b.csv"\r\n\r\n'
        b"a,b\r\n1,2\r\n--b--\r\n"
    )
    response = await member.client.post(
        "/uploads", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert response.status_code in {201, 400, 422}
    if response.status_code == 201:
        assert response.json()["filename"] == "a\ufffd.csv"
