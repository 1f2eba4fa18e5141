"""The OpenAPI document: what clients and the frontend are generated from."""

import json

import pytest
from fastapi import FastAPI

from recipe.recipe import STEPS_BY_TYPE


@pytest.fixture
def document(app: FastAPI) -> dict:
    return json.loads(json.dumps(app.openapi()))


def test_the_recipe_is_a_discriminated_union_of_all_steps(document):
    schemas = document["components"]["schemas"]
    steps = schemas["Recipe"]["properties"]["steps"]["items"]
    assert steps["discriminator"]["propertyName"] == "type"
    assert set(steps["discriminator"]["mapping"]) == set(STEPS_BY_TYPE)
    for reference in steps["discriminator"]["mapping"].values():
        assert reference.rpartition("/")[2] in schemas


@pytest.mark.parametrize("body", ["TransformationBody", "RecipeBody", "DraftBody", "SqlBody"])
def test_bodies_that_carry_a_recipe_say_so(document, body):
    recipe = document["components"]["schemas"][body]["properties"]["recipe"]
    assert recipe == {"$ref": "#/components/schemas/Recipe"}


def test_lineage_says_from_where(document):
    schemas = document["components"]["schemas"]
    for model in ("ColumnLineage", "TracedColumn"):
        assert "from" in schemas[model]["properties"]
        assert "origins" not in schemas[model]["properties"]


@pytest.mark.parametrize("body", ["PageBody", "DraftBody"])
def test_bodies_that_carry_a_filter_say_what_a_predicate_is(document, body):
    field = document["components"]["schemas"][body]["properties"]["filter"]
    reached = json.dumps(field) + json.dumps(document["components"]["schemas"]["AllOf"])
    for kind in ("Comparison", "AllOf", "AnyOf", "Not"):
        assert f"#/components/schemas/{kind}" in reached


def test_put_takes_a_bare_recipe_too(document):
    body = document["paths"]["/api/v1/transformations/{transformation_id}"]["put"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert {"$ref": "#/components/schemas/Recipe"} in schema["anyOf"]


def test_every_reference_leads_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for one in references(document):
        _, components, kind, name = one.split("/")
        assert name in document[components][kind], one


def test_every_operation_answers_errors_with_problems(document):
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            assert "default" not in responses
            problems = {status: one for status, one in responses.items() if status >= "400"}
            assert {"400", "422", "429", "503", "504"} <= problems.keys(), path
            assert ("security" not in operation) or {"401", "403"} <= problems.keys(), path
            for status, one in problems.items():
                name = one["$ref"].rpartition("/")[2]
                described = document["components"]["responses"][name]
                assert "application/problem+json" in described["content"], (path, status)


def test_every_route_of_the_issue_is_there(document):
    routes = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert {
        ("POST", "/auth/signup"),
        ("POST", "/auth/login"),
        ("POST", "/auth/refresh"),
        ("POST", "/auth/logout"),
        ("GET", "/auth/me"),
        ("GET", "/.well-known/jwks.json"),
        ("POST", "/uploads"),
        ("GET", "/sources"),
        ("POST", "/sources"),
        ("POST", "/sources/preview"),
        ("POST", "/sources/kobo/forms"),
        ("POST", "/sources/google-sheets/sheets"),
        ("GET", "/sources/{source_id}"),
        ("POST", "/sources/{source_id}/uploads"),
        ("PATCH", "/sources/{source_id}"),
        ("DELETE", "/sources/{source_id}"),
        ("POST", "/sources/{source_id}/sync"),
        ("GET", "/sources/{source_id}/schema"),
        ("POST", "/sources/{source_id}/loader"),
        ("DELETE", "/sources/{source_id}/loader"),
        ("POST", "/events"),
        ("GET", "/sources/{source_id}/rejects"),
        ("GET", "/sources/{source_id}/schema/changes"),
        ("POST", "/sources/{source_id}/schema/changes/{number}/accept"),
        ("POST", "/sources/{source_id}/schema/changes/{number}/reject"),
        ("GET", "/transformations"),
        ("POST", "/transformations"),
        ("POST", "/transformations/validate"),
        ("POST", "/transformations/preview"),
        ("POST", "/transformations/profile"),
        ("GET", "/transformations/{transformation_id}"),
        ("PUT", "/transformations/{transformation_id}"),
        ("DELETE", "/transformations/{transformation_id}"),
        ("POST", "/transformations/{transformation_id}/preview"),
        ("GET", "/transformations/{transformation_id}/sql"),
        ("POST", "/transformations/{transformation_id}/execute"),
        ("POST", "/transformations/sql"),
        ("GET", "/transformations/{transformation_id}/lineage"),
        ("GET", "/transformations/{transformation_id}/versions"),
        ("GET", "/transformations/{transformation_id}/versions/{version}"),
        ("GET", "/transformations/{transformation_id}/versions/{version}/diff"),
        ("POST", "/transformations/{transformation_id}/versions/{version}/restore"),
        ("GET", "/pipelines"),
        ("POST", "/pipelines"),
        ("GET", "/pipelines/{pipeline_id}"),
        ("PATCH", "/pipelines/{pipeline_id}"),
        ("DELETE", "/pipelines/{pipeline_id}"),
        ("POST", "/pipelines/{pipeline_id}/run"),
        ("GET", "/pipelines/{pipeline_id}/runs"),
        ("PUT", "/pipelines/{pipeline_id}/schedule"),
        ("PUT", "/pipelines/{pipeline_id}/triggers"),
        ("GET", "/pipelines/{pipeline_id}/firings"),
        ("GET", "/runs"),
        ("GET", "/runs/{run_id}"),
        ("POST", "/runs/{run_id}/cancel"),
        ("POST", "/runs/{run_id}/retry"),
        ("GET", "/runs/{run_id}/events"),
        ("GET", "/runs/{run_id}/timeline"),
        ("GET", "/events/stream"),
        ("GET", "/warehouse/lineage"),
        ("GET", "/warehouse/storage"),
        ("GET", "/warehouse/tables"),
        ("GET", "/warehouse/tables/{name}"),
        ("GET", "/warehouse/tables/{name}/preview"),
        ("GET", "/warehouse/tables/{name}/profile"),
        ("GET", "/warehouse/tables/{name}/versions"),
        ("POST", "/warehouse/tables/{name}/rollback"),
    } == routes


def test_only_the_doors_are_open_without_a_token(document):
    open_routes = {
        path.rpartition("/")[2]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "security" not in operation
    }
    assert open_routes == {"signup", "login", "refresh", "logout", "jwks.json"}


def test_live_events_are_told_as_such(document):
    answer = document["paths"]["/api/v1/runs/{run_id}/events"]["get"]["responses"]["200"]
    assert "text/event-stream" in answer["content"]
