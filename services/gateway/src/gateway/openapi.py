"""The OpenAPI document: every operation's errors are problems."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from contracts.problem import Problem

_REF = "#/components/schemas/{model}"
_PROBLEM = {
    "description": "A problem (RFC 9457); `detail` says what to do.",
    "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
}
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_FRAMEWORKS = ("HTTPValidationError", "ValidationError")
"""What the framework says its validation answers; here that is a problem like all others."""


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
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for name in _FRAMEWORKS:
        schemas.pop(name, None)
    for path in document["paths"].values():
        for method in path.keys() & _METHODS:
            responses = path[method]["responses"]
            responses.pop("422", None)
            responses["default"] = _PROBLEM
    return document
