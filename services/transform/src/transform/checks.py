"""What a recipe requires of its data, looked at before a version may be published."""

from collections.abc import Iterable

from chassis.database import Connection
from contracts.problem import problem
from contracts.tables import Notice
from recipe import DataCheck, RecipeError
from transform.domain import field_problem


async def run_checks(connection: Connection, checks: Iterable[DataCheck]) -> tuple[Notice, ...]:
    """Run every check over the inputs of a build, inside `as_org`; the warnings there are.

    Raises a 422 problem with every check that failed, at its step; its code is the first one's.
    """
    failed: list[RecipeError] = []
    warnings: list[Notice] = []
    for check in checks:
        found = check.judge(await connection.fetch(check.sql))
        if found is None:
            continue
        if check.severity == "fail":
            failed.append(found)
        else:
            warnings.append(Notice(code=found.code, message=_located(found)))
    if failed:
        errors = tuple(field_problem(error) for error in failed)
        raise problem(422, failed[0].code, " ".join(map(_located, failed)), errors)
    return tuple(warnings)


def _located(error: RecipeError) -> str:
    return f"Step {error.step}: {error.message}"
