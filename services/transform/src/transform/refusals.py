"""What the database refuses for good about a recipe's statement, in words without SQL."""

import asyncpg

from contracts.problem import ProblemError, problem

VERSION_GONE = "version_gone"
"""The code of the problem that what should be read is not there any more."""

REFUSALS = (
    asyncpg.DataError,
    asyncpg.SyntaxOrAccessError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.ConfigurationLimitExceededError,
)
"""Trying again would end the same way: the data or the statement is at fault."""


def refusal(error: asyncpg.PostgresError) -> ProblemError:
    """The 422 problem of a refusal (PostgreSQL's message names values and types, no statement)."""
    said = str(error.args[0]).rstrip(".")
    if isinstance(error, asyncpg.UndefinedTableError):
        return problem(
            422,
            VERSION_GONE,
            "A version that the recipe reads is not in the warehouse any more. Run again.",
        )
    if isinstance(error, asyncpg.ConfigurationLimitExceededError):
        return problem(
            422,
            "too_many_temporary_files",
            "Joining, sorting or grouping so many rows takes more temporary files than one statement "
            "may use. Filter the rows in an earlier step, or join by more columns.",
        )
    if isinstance(error, asyncpg.DataError):
        return problem(
            422,
            "data_does_not_fit",
            f"The data does not fit the recipe: {said}. Clean or cast the column first.",
        )
    return problem(
        422, "recipe_refused", f"The database refuses what this recipe asks for: {said}."
    )
