"""The OpenAPI document, and the checks that hold an answer against it."""

import re
from typing import Any

import schemathesis
from schemathesis import Response
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gateway.app import create_app
from gateway.settings import Settings

from . import hostile

# The document needs no connection; these addresses are never used.
_settings = Settings(nats_url="nats://127.0.0.1", object_store_url="file:///tmp/nowhere")
DOCUMENT: dict[str, Any] = create_app(_settings).openapi()

_CONFIG = SchemathesisConfig.from_dict(
    {
        "dictionaries": {"hostile": {"values": hostile.TEXTS}},
        "generation": {"dictionaries": {"string": {"dictionary": "hostile", "probability": 0.1}}},
    }
)
schema = schemathesis.openapi.from_dict(DOCUMENT, config=_CONFIG)

OPERATIONS: dict[str, APIOperation[Any, Any, Any, Any]] = {
    operation.definition.raw["operationId"]: operation
    for operation in (found.ok() for found in schema.get_all_operations() if isinstance(found, Ok))
}

STREAMS = ("runs_events", "runs_organization_events")
"""They do not end: signed in they are held against the document by a test of their own."""

READS = frozenset(
    {
        "transformations_validate",
        "transformations_sql_of_draft",
        "transformations_preview_draft",
        "transformations_profile",
        "transformations_preview_saved",
    }
)
"""Operations that are no GET and yet are open to a viewer."""


def methods_at(address: str) -> set[str]:
    """Those of all paths that an address fits: a table's name may hold slashes."""
    found: set[str] = set()
    for path, operations in DOCUMENT["paths"].items():
        pattern = re.sub(r"\{(\w+)\}", lambda name: ".+" if name[1] == "name" else "[^/]+", path)
        if re.fullmatch(pattern, address):
            found |= {method.upper() for method in operations}
    return found


def operations_with_a_body() -> set[str]:
    return {
        operation["operationId"]
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        if "requestBody" in operation
    }


_EVERYWHERE = frozenset(
    {
        "cache-control",
        "connection",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "date",
        "referrer-policy",
        "server",
        "transfer-encoding",
        "vary",
        "x-accel-buffering",
        "x-content-type-options",
        "x-frame-options",
    }
)
"""Headers of HTTP itself and of browsers' protection, the same on every answer."""


def every_header_is_documented(ctx: CheckContext, response: Response, case: Case) -> None:
    """A check of schemathesis: what is documented must arrive, and here the other way round."""
    found = case.operation.responses.find_by_status_code(response.status_code)
    if found is None:
        return
    documented = {name.lower() for name, _ in found.headers.items()}
    unknown = sorted({name.lower() for name in response.headers} - documented - _EVERYWHERE)
    assert not unknown, f"{response.status_code} sends headers that are not documented: {unknown}"


CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    every_header_is_documented,
    unsupported_method,
]
SECURED = [*CHECKS, ignored_auth]
