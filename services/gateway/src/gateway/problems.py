"""Errors as RFC 9457 problems: whatever goes wrong leaves as `application/problem+json`."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chassis.telemetry import trace_id
from contracts.ingest import CONFIGS
from contracts.problem import FieldProblem, Problem, ProblemError, problem
from gateway.text import unreadable

_CODES = {400: "malformed", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_DETAILS = {
    404: "There is nothing at this address. /docs lists the addresses that are.",
    405: "This address does not know that method. /docs lists the ones it knows.",
}
_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "2"},
}
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})


class ProblemResponse(Response):
    """A problem on the wire, with the id under which its trace is found."""

    media_type = "application/problem+json"

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        told = problem.model_copy(update={"trace_id": problem.trace_id or trace_id()})
        after = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
        super().__init__(
            told.model_dump_json(exclude_none=True),
            problem.status,
            headers=_HEADERS.get(problem.status, {}) | after | (headers or {}),
        )


def install(app: FastAPI) -> None:
    """Turn our problems, the framework's errors and its validation into problem responses."""

    async def told(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return ProblemResponse(error.problem)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        if status == 400 and error.__cause__ is not None:
            return ProblemResponse(unreadable(error.__cause__).problem)
        raised = problem(status, _CODES.get(status, "refused"), _DETAILS.get(status, error.detail))
        headers = dict(error.headers or {})
        if status == 405:
            headers["Allow"] = ", ".join(sorted(_methods_at(request)))
        return ProblemResponse(raised.problem, headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return ProblemResponse(_validation(error).problem)

    app.add_exception_handler(ProblemError, told)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def _methods_at(request: Request) -> set[str]:
    """The methods of every route at the address, where the router knows those of the first only."""
    path = get_route_path(request.scope)
    return {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.methods and route.path_regex.match(path)
        for method in route.methods
    }


def internal() -> ProblemError:
    """500 that tells the trace to report and nothing of what happened."""
    return problem(
        500,
        "internal",
        f"Something went wrong on our side. Please report the trace id {trace_id()}.",
    )


def _validation(error: RequestValidationError) -> ProblemError:
    entries = error.errors()
    if any(entry["type"] == "json_invalid" for entry in entries):
        return problem(400, "malformed_json", "The body is not JSON. Check quotes and commas.")
    fields = tuple(_field(entry) for entry in entries)
    detail = " ".join(f"{field.field}: {field.message}." for field in fields[:5])
    return problem(422, "invalid_request", detail, fields)


def _field(entry: dict[str, Any]) -> FieldProblem:
    place = [str(part) for part in entry["loc"]]
    if len(place) > 1 and place[0] in _PLACES:
        place = place[1:]
    # A type (of a source, of a trigger) says which body was checked; in the body it is no step of
    # the way.
    if place[0] in CONFIGS:
        place = place[1:] or place
    elif place[0] == "config" and len(place) > 1 and place[1] in CONFIGS:
        del place[1]
    elif place[0] == "triggers" and len(place) > 3:
        del place[2]
    message = str(entry["msg"])
    if entry["type"] == "extra_forbidden":
        message = "There is no such field here"
    return FieldProblem(field=".".join(place), code=entry["type"], message=message)
