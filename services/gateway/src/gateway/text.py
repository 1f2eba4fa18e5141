"""What every request is held against before its route sees it: `contracts.text`, at every place."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request

from contracts.problem import FieldProblem, ProblemError, problem
from contracts.text import Fault, Path, faults, text_fault, too_deep

MAX_HEADER = 16 * 1024
"""Bytes of one header's value: a browser's cookies for a whole machine fit."""

_MOST = 20
"""Faults that one answer names."""


async def acceptable(request: Request) -> None:
    """Refuse what no route takes; a dependency of the application, so that none is without it.

    Path, query, headers and a JSON body that the framework has parsed. Raises ProblemError 400 for
    what is not UTF-8, 422 naming each place where text or a number cannot be stored, 431 for a
    header's value over MAX_HEADER. Routes that read the body themselves parse it with `read_json`.
    """
    _require_utf8(request)
    for name, value in request.headers.raw:
        if len(value) > MAX_HEADER:
            raise problem(
                431,
                "header_too_large",
                f"The header '{name.decode('latin-1')}' has more than {MAX_HEADER:,} bytes.",
            )
    given = [*request.path_params.items(), *request.query_params.multi_items()]
    _require(Fault((name,), *wrong) for pair in given for name, wrong in _text_faults(*pair))
    if getattr(request.scope.get("route"), "body_field", None) is not None and _is_json(request):
        # Parsed by the framework before, and kept by the request.
        require_acceptable(await request.json() if await request.body() else None)


def read_json(text: str | bytes, field: str = "", *, otherwise: Callable[[], ProblemError]) -> Any:
    """JSON that a route reads itself; `otherwise` makes the problem of what is none.

    Raises ProblemError 422 as `require_acceptable` does, its places below `field`.
    """
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise refusal((too_deep(),), field) from error
    except ValueError as error:
        raise otherwise() from error
    require_acceptable(found, field)
    return found


def require_acceptable(document: object, field: str = "") -> None:
    """Raise ProblemError 422 naming what no field may hold (`contracts.text.faults`)."""
    _require(faults(document), field, document)


def unreadable(cause: BaseException | None) -> ProblemError:
    """What is wrong with a body that the framework's parser could not read, by its exception."""
    if isinstance(cause, RecursionError):
        return refusal((too_deep(),))
    if isinstance(cause, UnicodeError):
        return problem(400, "not_utf8", "The body is not UTF-8.")
    return problem(400, "malformed_json", "The body is not JSON. Check quotes, commas and numbers.")


def refusal(found: Iterable[Fault], field: str = "", document: object = None) -> ProblemError:
    """422 naming each place."""
    entries = tuple(_entry(fault, field, document) for fault in found)
    detail = " ".join(f"{entry.field or 'body'}: {entry.message}." for entry in entries[:5])
    return problem(422, "invalid_request", detail, entries)


def _require(found: Iterable[Fault], field: str = "", document: object = None) -> None:
    first = [fault for fault, _ in zip(found, range(_MOST), strict=False)]
    if first:
        raise refusal(first, field, document)


def _entry(fault: Fault, field: str, document: object) -> FieldProblem:
    step, inside = _step_of(fault.path)
    path = ((field,) if field else ()) + fault.path
    shown = inside if step is not None else path
    return FieldProblem(
        # The name of a field may be what cannot be shown.
        field=".".join(str(part) for part in shown),
        code=fault.code,
        message=fault.message,
        step=step,
        step_id=_step_id(document, fault.path) if step is not None else None,
    )


def _step_of(path: Path) -> tuple[int | None, Path]:
    """The step of a recipe that a place lies in, and the rest of the way, as recipes tell theirs."""
    for place, part in enumerate(path[:-1]):
        number = path[place + 1]
        if part == "steps" and isinstance(number, int):
            return number, path[place + 2 :]
    return None, path


def _step_id(document: object, path: Path) -> str | None:
    value: Any = document
    for part in path[: path.index("steps") + 2]:
        value = value[part]
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and text_fault(found) is None else None


def _text_faults(name: str, value: object) -> Iterable[tuple[str, tuple[str, str]]]:
    if wrong := text_fault(name):
        yield "query", wrong
    elif isinstance(value, str) and (wrong := text_fault(value)):
        yield name, wrong


def _require_utf8(request: Request) -> None:
    for part in ("raw_path", "query_string"):
        raw = request.scope.get(part) or b""
        if b"%" not in raw:
            continue
        try:
            unquote_to_bytes(raw).decode()
        except UnicodeDecodeError as error:
            where = "path" if part == "raw_path" else "query"
            raise problem(
                400, "not_utf8", f"The {where} of the address is not UTF-8, percent-encoded."
            ) from error


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind.startswith("application/") and (kind.endswith(("/json", "+json")))
