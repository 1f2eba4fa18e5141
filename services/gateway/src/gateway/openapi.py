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
_ANYWHERE = frozenset({400, 408, 422, 429, 431, 503, 504})
_DOORS = {
    "/auth/signup": {403, 409},
    "/auth/login": {401, 403, 404},
    "/auth/refresh": {401, 403, 404},
    "/auth/logout": {403},
}
"""What is open to people without a session answers what no other operation does."""
_OTHER_SYSTEMS = frozenset(
    {
        "sources_add_upload",
        "sources_create",
        "sources_forms",
        "sources_list_sheets",
        "sources_preview",
        "sources_update",
    }
)
"""Operations that ask other systems."""


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
    components["responses"] = {_name(status): _response(status) for status in _PROBLEMS}
    for path, operations in document["paths"].items():
        for method in operations.keys() & _METHODS:
            operation = operations[method]
            operation["responses"].pop("422", None)
            operation["responses"] |= {
                str(status): {"$ref": f"#/components/responses/{_name(status)}"}
                for status in sorted(_statuses(path, method, operation))
            }
    return document


def _statuses(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    """The problems that an operation may answer."""
    found = set(_ANYWHERE)
    names = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    door = next((statuses for end, statuses in _DOORS.items() if path.endswith(end)), None)
    if door is not None:
        found |= door
    elif method != "get":
        found |= {404, 409}
    if operation.get("security"):
        found |= {401, 403}
    if "requestBody" in operation:
        found.add(413)
    if "{" in path or path.endswith("/auth/me"):
        found.add(404)
    if "if-match" in names:
        found.add(412)
    if "dalgo-view" in names:
        found.add(409)
    if path.endswith("/events") and method == "post":
        found.add(415)
    if operation["operationId"] in _OTHER_SYSTEMS:
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
