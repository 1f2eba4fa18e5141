"""What the SDK raises: always a DalgoError, always with a problem that a person can act on."""

import httpx
from pydantic import ValidationError

from contracts.problem import Problem


class DalgoError(Exception):
    """The server refused or failed; `problem` is what it said (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status, for example 404."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The problem's machine-readable name, for example `name_taken`."""
        return self.problem.code


class Unreachable(DalgoError):
    """Nothing answered at the address for as long as the client was patient."""

    def __init__(self, url: str, cause: Exception) -> None:
        super().__init__(
            Problem(
                title="Not reachable",
                status=503,
                code="unreachable",
                detail=f"{url} does not answer ({_words(cause)}). Check the address; on this "
                "machine, `dalgo up` starts the services and `dalgo status` shows them.",
            )
        )


def error_of(response: httpx.Response) -> DalgoError:
    """The error that a response of status 4xx or 5xx tells; its body has been read."""
    try:
        return DalgoError(Problem.model_validate_json(response.content))
    except ValidationError:
        return DalgoError(
            Problem(
                title=response.reason_phrase or "Error",
                status=response.status_code,
                code=f"http_{response.status_code}",
                detail=f"{response.url.host} answered {response.status_code} "
                f"{response.reason_phrase} without saying why; something between here and "
                "Dalgo may have answered in its place.",
            )
        )


def misread(response: httpx.Response, cause: ValidationError) -> DalgoError:
    """The error for an answer that this version of the SDK cannot read."""
    first = cause.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    return DalgoError(
        Problem(
            title="Answer not understood",
            status=502,
            code="answer_not_understood",
            detail=f"The answer of {response.url.path} is not what this version of the client "
            f"expects ({place}: {first['msg']}). Install the client of the server's version.",
        )
    )


def _words(cause: Exception) -> str:
    if isinstance(cause, httpx.ConnectError):
        return "no connection"
    if isinstance(cause, httpx.TimeoutException):
        return "timed out"
    return str(cause) or type(cause).__name__
