"""The statements of a preview: compiled, vouched for, and kept for the next page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.problem import FieldProblem, ProblemError, problem
from contracts.transform import SortItem
from recipe import Compiled, Context, RecipeProblems, parse
from recipe.compile import narrowed
from recipe.errors import Misfit
from recipe.items import SortItem as RecipeSort
from recipe.statement import count_sql, page
from recipe.steps.filter import Filter
from transform.compiler import Compiler
from transform.kept import Kept

_KEPT = 500


@dataclass(frozen=True)
class Statements:
    """What a preview runs."""

    page: str
    """Takes a limit ($1) and an offset ($2)."""
    count: str
    in_stored_order: bool
    """Whether the page relies on the order in which rows are stored."""


class Pages:
    """Makes the statements of previews."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._kept: Kept[tuple[object, ...], Statements] = Kept(_KEPT)

    async def statements(
        self,
        org_id: UUID,
        compiled: Compiled,
        context: Context,
        filter: Mapping[str, object] | None,
        sort: Sequence[SortItem],
        *,
        as_stored: bool,
    ) -> Statements:
        """The statements of a compiled recipe, its result narrowed by `filter`.

        `as_stored`: it is a table as it is, to be shown in the order in which it is stored.

        Raises a 422 problem for a filter or an order that does not fit.
        """
        # Equal statements read the same versions in the same way.
        key = (compiled.sql, compiled.columns, json.dumps(filter), tuple(sort), as_stored)
        kept = self._kept.get(key)
        if kept is None:
            kept, depends_on_now = await self._compiler.run(
                _made, compiled, context, filter, sort, as_stored
            )
            await self._compiler.vouch(org_id, kept.page, kept.count)
            if not depends_on_now:
                self._kept.put(key, kept)
        return kept


def _made(
    compiled: Compiled,
    context: Context,
    filter: Mapping[str, object] | None,
    sort: Sequence[SortItem],
    as_stored: bool,
) -> tuple[Statements, bool]:
    if filter is not None:
        compiled = _narrowed(compiled, filter, context)
    order = [RecipeSort(column=item.column, descending=item.descending) for item in sort]
    try:
        made = page(compiled, order, stored=as_stored)
    except Misfit as misfit:
        raise _refused("sort", misfit) from misfit
    statements = Statements(
        page=made,
        count=count_sql(compiled),
        in_stored_order=as_stored and not order,
    )
    return statements, compiled.depends_on_now


def _narrowed(compiled: Compiled, filter: Mapping[str, object], context: Context) -> Compiled:
    # Read as a recipe, so that its form is checked and told in the words of the language.
    try:
        steps = [{"type": "source", "table": "-"}, {"type": "filter", "where": filter}]
        step = parse({"steps": steps}).steps[1]
    except RecipeProblems as error:
        raise _bad(
            "filter", [(e.field, e.code, e.message, e.alternatives) for e in error.errors]
        ) from error
    assert isinstance(step, Filter)
    assert step.where is not None
    try:
        return narrowed(compiled, step.where, context)
    except Misfit as misfit:
        raise _refused("filter", misfit) from misfit


def _refused(field: str, misfit: Misfit) -> ProblemError:
    return _bad(field, [(f.field, f.code, f.message, f.alternatives) for f in misfit.findings])


def _bad(field: str, found: Sequence[tuple[str | None, str, str, tuple[str, ...]]]) -> ProblemError:
    """422 at `sort` or `filter`, whose path as a step's field begins with `where`."""
    errors = tuple(
        FieldProblem(
            field=".".join(filter(None, (field, (path or "").removeprefix("where").lstrip(".")))),
            code=code,
            message=message,
            alternatives=alternatives,
        )
        for path, code, message, alternatives in found
    )
    return problem(422, f"bad_{field}", errors[0].message, errors)
