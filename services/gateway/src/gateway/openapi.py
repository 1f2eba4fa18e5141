"""The OpenAPI document: every operation with each status that it answers; errors are problems."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from contracts.problem import Problem

_REF = "#/components/schemas/{model}"
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_FRAMEWORKS = ("HTTPValidationError", "ValidationError")
"""What the framework says its validation answers; here that is a problem like all others."""

_RETRY = {
    "Retry-After": {
        "description": "Seconds.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    }
}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}

_PROBLEMS: dict[int, tuple[str, dict[str, Any]]] = {
    400: ("What was sent cannot be read, or its cursor is of another list.", {}),
    401: ("No valid access token.", _CHALLENGE),
    403: ("The role of the caller, or the page that sent the request, is not allowed this.", {}),
    404: ("It is not there, or is another organisation's.", {}),
    408: ("The request arrived too slowly.", {}),
    409: ("It does not go together with what is there.", {}),
    412: ("It was modified since it was read (`If-Match`).", {}),
    413: ("The body is too large.", {}),
    415: ("The body is of a type that is not taken.", {}),
    422: ("A value does not fit; `errors` names each field.", {}),
    429: ("The organisation's share is used up.", _RETRY),
    431: ("A header is too large.", {}),
    502: ("Another system does not answer as it should.", {}),
    503: ("A part of Dalgo is not available.", _RETRY),
    504: ("No answer came in time.", {}),
}
_SUCCESSES: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "The resource's revision, for `If-Match`.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    },
    "Link": {
        "description": "The next page (RFC 8288), where there is one.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
    },
    "Location": {
        "description": "Where the resource is.",
        "required": True,
        "schema": {"type": "string", "pattern": "^/api/v1/"},
    },
    "Preference-Applied": {
        "description": "`wait=N`, where the run's end was waited for.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
}
"""Headers of answers that are no problem."""
_TAGGED = frozenset({"SourceView", "Pipeline", "Transformation", "Run"})
"""Models of resources that have revisions."""
_COLLECTIONS = ("/sources", "/pipelines", "/transformations")

_ANYWHERE = frozenset({400, 408, 422, 429, 431, 503, 504})
_WRITES = frozenset({403, 409, 413})
_OTHER_SYSTEMS = ("/sources",)
"""Paths behind which other systems are asked."""


def install(app: FastAPI) -> None:
    """Let the app describe itself so, once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    components = document["components"]
    schemas = components["schemas"]
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for name in _FRAMEWORKS:
        schemas.pop(name, None)
    components["headers"] = _SUCCESSES
    components["responses"] = {_name(status): _response(status) for status in _PROBLEMS}
    for path, operations in document["paths"].items():
        for method in operations.keys() & _METHODS:
            operation = operations[method]
            operation["responses"].pop("422", None)
            for status, response in operation["responses"].items():
                names = _headers(path, operation, status, response)
                if names:
                    response["headers"] = {
                        name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)
                    }
            operation["responses"] |= {
                str(status): {"$ref": f"#/components/responses/{_name(status)}"}
                for status in sorted(_statuses(path, method, operation))
            }
    return document


def _headers(
    path: str, operation: dict[str, Any], status: str, response: dict[str, Any]
) -> set[str]:
    """The headers that an operation may answer with, beside those that every answer has."""
    found = set[str]()
    parameters = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    schemas = [body.get("schema", {}) for body in response.get("content", {}).values()]
    models = {schema["$ref"].rpartition("/")[2] for schema in schemas if "$ref" in schema}
    if "cursor" in parameters:
        found.add("Link")
    if "prefer" in parameters:
        found |= {"Location", "Preference-Applied"}
    elif models & _TAGGED and (status != "202" and "/cancel" not in path):
        found.add("ETag")
    if status == "201" and path.endswith(_COLLECTIONS):
        found.add("Location")
    return found


def _statuses(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    """The problems that an operation may answer."""
    found = set(_ANYWHERE)
    if operation.get("security"):
        found |= {401, 403}
    if method != "get":
        found |= _WRITES
    # A door is not open to everybody: wrong passwords, ended sessions.
    if "/auth/" in path:
        found.add(401)
    names = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    if "{" in path or method != "get":
        found.add(404)
    if "if-match" in names:
        found.add(412)
    if path.endswith("/events") and method == "post":
        found.add(415)
    if any(part in path for part in _OTHER_SYSTEMS):
        found.add(502)
    return found


def _name(status: int) -> str:
    return f"Problem{status}"


def _response(status: int) -> dict[str, Any]:
    description, headers = _PROBLEMS[status]
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {"description": description, "content": content} | (
        {"headers": headers} if headers else {}
    )
