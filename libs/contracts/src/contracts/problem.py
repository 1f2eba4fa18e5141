"""The one shape of an error that a person reads (RFC 9457), on the bus and at the HTTP edge."""

from pydantic import BaseModel, ConfigDict


class FieldProblem(BaseModel):
    """One field of a request that does not fit."""

    model_config = ConfigDict(frozen=True)

    field: str
    code: str
    message: str
    step: int | None = None
    """Of a recipe: the step's position, from 0."""
    step_id: str | None = None
    alternatives: tuple[str, ...] = ()


class Problem(BaseModel):
    """Problem details; `detail` is a sentence that says what to do."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldProblem, ...] = ()
    trace_id: str | None = None
    retry_after: int | None = None
    """Seconds; over HTTP the header Retry-After as well."""


class ProblemError(Exception):
    """A request that cannot be answered, with the problem to tell.

    Raised by the owner of a resource; crosses the bus as data and is raised again at the asker's.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    def __reduce__(self) -> tuple[type["ProblemError"], tuple[Problem]]:
        """Pickled as its problem: it crosses from worker processes too."""
        return type(self), (self.problem,)


_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    408: "Request too slow",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    422: "Does not fit",
    429: "Too many requests",
    431: "Header too large",
    499: "Nobody waits",
    502: "Source does not answer",
    503: "Not available",
    504: "Timed out",
}


def problem(
    status: int,
    code: str,
    detail: str,
    errors: tuple[FieldProblem, ...] = (),
    *,
    retry_after: int | None = None,
) -> ProblemError:
    """The exception for one problem; `status` is an HTTP status of 4xx or 5xx."""
    return ProblemError(
        Problem(
            title=_TITLES.get(status, "Error"),
            status=status,
            code=code,
            detail=detail,
            errors=errors,
            retry_after=retry_after,
        )
    )


DATABASE_AWAY = "database_unavailable"
"""The code of the problem while an owner's database does not answer."""
DATABASE_FULL = "database_full"
"""The code of the problem while the database can store nothing, not even a run that waits."""


def not_found(what: str, key: object) -> ProblemError:
    """404: `what` (for example "source") is not there, or is another organisation's."""
    return problem(404, "not_found", f"There is no {what} {key} in your organisation.")
