"""The edge without any service behind it: refusals, problems, headers, limits."""

import json

import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ValidationError

from contracts.problem import problem
from gateway.limits import MAX_BODY
from gateway.recipes import MAX_RECIPE, DraftBody


@pytest.fixture
def signed(make_token) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token()}"}


def shape(response) -> tuple[int, str]:
    """Status and code of a problem, after what every problem must be."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "code", "trace_id"} <= body.keys()
    assert body["status"] == response.status_code
    assert body["detail"]
    return body["status"], body["code"]


async def test_an_unknown_address_is_a_problem(client):
    assert shape(await client.get("/api/v1/nothing")) == (404, "not_found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_one(client):
    response = await client.delete("/api/v1/auth/login")
    assert shape(response) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


async def test_without_a_token_one_is_asked_for(client):
    response = await client.get("/api/v1/sources")
    assert shape(response) == (401, "not_signed_in")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_every_route_but_the_doors_wants_a_token(client, app):
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            if "security" in operation:
                url = path.replace("{name}", "x")
                while "{" in url:
                    head, _, rest = url.partition("{")
                    url = f"{head}01a20827-a698-767a-b244-db2be30a9f36{rest.partition('}')[2]}"
                response = await client.request(method, url)
                assert shape(response) == (401, "not_signed_in"), (method, path)


async def test_fields_that_do_not_fit_are_named(client):
    response = await client.post("/api/v1/auth/login", json={"email": 5, "pasword": "x"})
    assert shape(response) == (422, "invalid_request")
    assert {(e["field"], e["code"]) for e in response.json()["errors"]} == {
        ("email", "string_type"),
        ("password", "missing"),
        ("pasword", "extra_forbidden"),
    }


async def test_the_password_is_not_repeated_in_the_answer(client):
    response = await client.post(
        "/api/v1/auth/login", json={"email": "a@b.org", "password": "s3cret" * 200}
    )
    assert shape(response) == (422, "invalid_request")
    assert "s3cret" not in response.text


async def test_an_unknown_field_deep_in_a_config_is_refused(client, signed):
    config = {"upload_id": "01a20827-a698-767a-b244-db2be30a9f36", "delimeter": ";"}
    body = {"type": "csv", "name": "x", "config": config}
    response = await client.post("/api/v1/sources", json=body, headers=signed)
    assert shape(response) == (422, "invalid_request")
    assert response.json()["errors"][0]["field"] == "config.delimeter"


async def test_broken_json_is_a_bad_request(client):
    response = await client.post(
        "/api/v1/auth/login", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert shape(response) == (400, "malformed_json")


@pytest.mark.parametrize("is_stated", [True, False])
async def test_a_body_beyond_the_limit_is_refused(client, is_stated):
    async def pieces():
        yield b'{"email": "'
        for _ in range(20):
            yield b"a" * (MAX_BODY // 10)

    content = b"a" * (MAX_BODY + 1) if is_stated else pieces()
    response = await client.post(
        "/api/v1/auth/login", content=content, headers={"Content-Type": "application/json"}
    )
    assert shape(response) == (413, "too_large")


@pytest.mark.parametrize("role", ["viewer", "runner"])
async def test_a_role_does_no_more_than_it_may(client, make_token, role):
    headers = {"Authorization": f"Bearer {make_token(role=role)}"}
    response = await client.post("/api/v1/pipelines", json={"name": "x"}, headers=headers)
    assert shape(response) == (403, "role_too_low")
    assert "editor" in response.json()["detail"]


@pytest.mark.parametrize("tag", ["*2", "two", '"two"'])
async def test_a_tag_that_is_none_of_ours_is_a_failed_precondition(client, signed, tag):
    response = await client.delete(
        "/api/v1/pipelines/01a20827-a698-767a-b244-db2be30a9f36",
        headers=signed | {"If-Match": tag},
    )
    assert shape(response) == (412, "changed_meanwhile")


async def test_an_unexpected_error_tells_its_trace_and_nothing_else(app: FastAPI, client):
    async def breaks(_: Request) -> Response:
        raise RuntimeError("SELECT secret FROM users")

    app.add_route("/breaks", breaks)
    response = await client.get("/breaks")
    assert shape(response) == (500, "internal")
    assert "SELECT" not in response.text
    assert "Traceback" not in response.text
    assert response.json()["trace_id"] in response.json()["detail"]


async def test_an_owners_problem_is_passed_on_with_its_words(app: FastAPI, client):
    async def refuses(_: Request) -> Response:
        raise problem(409, "name_taken", "There is a table called 'x'. Free: 'x 2'.")

    app.add_route("/refuses", refuses)
    response = await client.get("/refuses")
    assert shape(response) == (409, "name_taken")
    assert "'x 2'" in response.json()["detail"]


async def test_every_answer_carries_the_security_headers(client):
    for path in ("/api/v1/nothing", "/openapi.json", "/docs"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
    secure = await client.get("https://dalgo.example.org/openapi.json")
    assert secure.headers["strict-transport-security"]


async def test_a_named_origin_may_call_with_credentials_and_others_may_not(client):
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "If-Match"}
    ours = await client.options(
        "/api/v1/sources", headers=asked | {"Origin": "https://app.example.org"}
    )
    assert ours.headers["access-control-allow-origin"] == "https://app.example.org"
    assert ours.headers["access-control-allow-credentials"] == "true"
    other = await client.options("/api/v1/sources", headers=asked | {"Origin": "https://evil.org"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "session_over"),
        ({"Sec-Fetch-Site": "same-origin"}, "session_over"),
        ({"Sec-Fetch-Site": "cross-site"}, "foreign_origin"),
        ({"Sec-Fetch-Site": "same-site"}, "foreign_origin"),
        ({"Origin": "http://localhost"}, "session_over"),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, "session_over"),
        ({"Origin": "https://evil.org"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
    ],
)
async def test_a_session_is_renewed_from_our_own_pages_only(client, headers, code):
    response = await client.post("/api/v1/auth/refresh", headers=headers)
    assert response.json()["code"] == code


async def test_the_trace_of_the_caller_is_continued(client):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    response = await client.get("/api/v1/sources", headers=parent)
    assert response.json()["trace_id"] == trace


async def test_a_bare_recipe_is_taken_for_a_change_of_the_recipe():
    from gateway.recipes import TransformationChange

    recipe = {"version": 1, "steps": [{"type": "source", "table": "x"}]}
    assert TransformationChange.model_validate(recipe).recipe == recipe
    assert TransformationChange.model_validate({"recipe": recipe}).recipe == recipe


async def test_a_recipe_that_does_not_fit_is_left_to_its_owner():
    from gateway.recipes import TransformationBody

    recipe = {"steps": [{"type": "no such step"}]}
    body = TransformationBody.model_validate({"name": "x", "recipe": recipe})
    assert json.loads(body.model_dump_json())["recipe"] == recipe
    assert isinstance(body, BaseModel)


@pytest.mark.parametrize("field", ["recipe", "filter"])
def test_a_recipe_far_beyond_the_languages_limit_is_refused_at_the_edge(field: str) -> None:
    body = {"recipe": {"steps": []}} | {field: {"steps": ["x" * MAX_RECIPE]}}
    with pytest.raises(ValidationError) as raised:
        DraftBody.model_validate(body)
    (error,) = raised.value.errors()
    assert (error["loc"], error["type"]) == ((field,), "too_large")
