"""What compile workers do: from recipes as JSON to statements. Functions without effects.

Ibis and sqlglot are imported by the functions: the service imports this module to name them, and
handles recipes as JSON. The fork server imports all at once (`preload.py`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from contracts.problem import ProblemError, problem
from recipe import (
    Compiled,
    Context,
    OpenNames,
    Recipe,
    RecipeProblems,
    Table,
    check,
    compile_recipe,
    open_names,
    parse,
    pinned,
    resolve,
    unpinned,
    with_names,
)
from recipe.compile import Checked, narrowed
from recipe.diff import StepChange, differences
from recipe.errors import Misfit
from recipe.items import SortItem
from recipe.naming import physical_names
from recipe.steps.filter import Filter
from recipe.tables import Column
from transform.domain import bad_part, invalid_recipe
from transform.drafts import Draft, Fitting, Mention, Page, Profile, Statement

if TYPE_CHECKING:
    from recipe.lineage import Origin

_COMPILED = 8
"""Recipes that a worker remembers, for the next statement of the same one."""


def checked(draft: Draft) -> Checked:
    """What is wrong with a recipe, and the columns after each step."""
    return check(_read(draft.recipe), _tables(draft))


def fitting(draft: Draft, live_names: Mapping[str, str]) -> Fitting:
    """A recipe ready to be kept; `live_names` by the display names of its tables.

    Raises a 422 problem with every error at its step.
    """
    written = _read(draft.recipe)
    found = check(written, _tables(draft))
    if found.errors:
        raise invalid_recipe(found.errors)
    kept = resolve(_parsed(written), live_names)
    kept = pinned(kept, {live: name for name, live in live_names.items()})
    content = kept.model_dump(mode="json")
    # Live names are longer than the names people give.
    kept = _parsed(content)
    columns = found.steps[-1]
    names = physical_names([column.name for column in columns])
    return Fitting(
        recipe=content,
        mentions=_mentions(kept),
        columns=tuple(
            column.model_copy(update={"physical": name})
            for column, name in zip(columns, names, strict=True)
        ),
    )


def statement(draft: Draft, context: Context, schema: str, *, readable: bool) -> Statement:
    """All rows of a recipe; `schema` is the only one that it may read.

    Raises problems: 422 with every error at its step, 500 for a statement that may not run.
    """
    from recipe.statement import readable_sql

    compiled = _compiled(draft, context)
    _vouch(schema, compiled.sql, *(each.sql for each in compiled.checks))
    return Statement(
        sql=compiled.sql,
        columns=compiled.columns,
        reads=compiled.reads,
        checks=compiled.checks,
        depends_on_now=compiled.depends_on_now,
        readable=readable_sql(compiled) if readable else None,
    )


def preview(
    draft: Draft,
    context: Context,
    schema: str,
    filter: Mapping[str, object] | None,
    sort: Sequence[tuple[str, bool]],
    *,
    as_stored: bool,
) -> Page:
    """The statements of a preview, its rows narrowed by `filter`.

    `sort`: columns, each with whether it is descending.

    They passed the guard unless a table among `reads` has no version: then they are not to be run.
    Raises problems: 422 for a recipe, a filter or an order that does not fit, and as `statement`.
    """
    from recipe.statement import count_sql, page

    compiled = _compiled(draft, context)
    if filter is not None:
        compiled = _narrowed(compiled, filter, context)
    try:
        order = [SortItem(column=column, descending=descending) for column, descending in sort]
        rows = page(compiled, order, stored=as_stored)
    except Misfit as misfit:
        raise _refused("sort", misfit) from misfit
    count = count_sql(compiled)
    if _is_stored(compiled.reads, draft, schema):
        _vouch(schema, rows, count)
    return Page(rows, count, compiled.columns, compiled.reads, compiled.depends_on_now)


def profile(draft: Draft, context: Context, schema: str, every: int | None) -> Profile:
    """The statements of a profile that reads one row in `every`; None: only the one that counts.

    They passed the guard unless a table among `reads` has no version: then they are not to be run.
    Raises problems as `statement`.
    """
    from recipe.profile import BUCKETS, MAX_COLUMNS, profile_sql
    from recipe.statement import count_sql

    compiled = _compiled(draft, context)
    looks: list[str] = []
    for first in range(0, len(compiled.columns) if every else 0, MAX_COLUMNS):
        chosen = range(first, min(first + MAX_COLUMNS, len(compiled.columns)))
        looks.append(profile_sql(compiled, chosen, every or 1))
    count = count_sql(compiled)
    if _is_stored(compiled.reads, draft, schema):
        _vouch(schema, count, *looks)
    return Profile(
        count=count,
        looks=tuple(looks),
        columns_each=MAX_COLUMNS,
        buckets=BUCKETS,
        columns=compiled.columns,
        reads=compiled.reads,
        depends_on_now=compiled.depends_on_now,
    )


def live_sql(draft: Draft, context: Context) -> str:
    """The statement for people to read; it is not to be run."""
    from recipe.statement import readable_sql

    return readable_sql(_compiled(draft, context))


def traced(
    draft: Draft, context: Context
) -> tuple[tuple[Column, ...], "dict[str, tuple[Origin, ...]]"]:
    """A recipe's columns, and the columns of tables that each is made of."""
    from recipe.lineage import trace

    compiled = _compiled(draft, context)
    return compiled.columns, trace(compiled, dict(draft.tables).values())


def opened(draft: Draft, context: Context, schema: str) -> OpenNames | None:
    """The first step whose columns' names have to be read from the data, and how."""
    found = open_names(_parsed(_read(draft.recipe)), _tables(draft), context, draft.until_step)
    if found is not None and _is_stored(found.reads, draft, schema):
        _vouch(schema, found.sql)
    return found


def named(written: str, index: int, values: Sequence[str | None]) -> dict[str, object]:
    """A recipe with the names that were read for its step at `index`."""
    try:
        return with_names(_parsed(_read(written)), index, values).model_dump(mode="json")
    except RecipeProblems as error:
        raise invalid_recipe(error.errors) from error


def mentions(written: str) -> tuple[Mention, ...]:
    """Every table that a recipe names, disabled steps included."""
    return _mentions(_parsed(_read(written)))


def shown(asked: Sequence[tuple[str, Mapping[str, str]]]) -> list[dict[str, object]]:
    """Kept recipes as people know them, each with the display names of tables by live name."""
    return [
        resolve(unpinned(_parsed(_read(kept)), names), names).model_dump(mode="json")
        for kept, names in asked
    ]


def compared(old: str, new: str) -> tuple[StepChange, ...]:
    """What turns one recipe into another."""
    return differences(_parsed(_read(old)), _parsed(_read(new)))


def _read(text: str) -> object:
    return json.loads(text)


def _parsed(data: object) -> Recipe:
    try:
        return parse(data)
    except RecipeProblems as error:
        raise invalid_recipe(error.errors) from error


def _tables(draft: Draft) -> dict[str, Table]:
    """The tables that may be read, and of the others the names alone."""
    found = dict(draft.tables)
    known = {table.display_name for table in found.values()}
    for name in draft.names:
        if name not in known:
            found[name] = Table.model_construct(
                table_id="",
                display_name=name,
                physical_name=name,
                schema_name="",
                relation="",
                columns=(),
            )
    return found


def _compiled(draft: Draft, context: Context) -> Compiled:
    return _compiled_at(draft, context.as_of, context.timezone)


@lru_cache(_COMPILED)
def _compiled_at(draft: Draft, as_of: datetime, timezone: str) -> Compiled:
    context = Context(as_of=as_of, timezone=timezone)
    try:
        return compile_recipe(
            _parsed(_read(draft.recipe)), _tables(draft), context, draft.until_step
        )
    except RecipeProblems as error:
        raise invalid_recipe(error.errors) from error


def _is_stored(reads: Collection[str], draft: Draft, schema: str) -> bool:
    """Whether all tables have versions; a statement over others is not run."""
    return all(table.schema_name == schema for _, table in draft.tables if table.table_id in reads)


def _vouch(schema: str, *statements: str) -> None:
    """Let nothing pass but a SELECT over the schema: a statement that does not is our mistake."""
    from recipe.guard import Forbidden, guard

    for text in statements:
        try:
            guard(text, {schema})
        except Forbidden as error:
            raise problem(
                500,
                "statement_forbidden",
                "This recipe became a statement that may not run. Please report it.",
            ) from error


def _mentions(parsed: Recipe) -> tuple[Mention, ...]:
    return tuple(
        Mention(index, step.id, step.kind(), field, name)
        for index, step in enumerate(parsed.steps)
        for field, name in step.tables()
    )


def _narrowed(compiled: Compiled, filter: Mapping[str, object], context: Context) -> Compiled:
    # Read as a recipe, so that its form is checked and told in the words of the language.
    try:
        steps = [{"type": "source", "table": "-"}, {"type": "filter", "where": filter}]
        step = parse({"steps": steps}).steps[1]
    except RecipeProblems as error:
        raise bad_part(
            "filter", [(e.field, e.code, e.message, e.alternatives) for e in error.errors]
        ) from error
    assert isinstance(step, Filter)
    assert step.where is not None
    try:
        return narrowed(compiled, step.where, context)
    except Misfit as misfit:
        raise _refused("filter", misfit) from misfit


def _refused(field: str, misfit: Misfit) -> ProblemError:
    return bad_part(field, [(f.field, f.code, f.message, f.alternatives) for f in misfit.findings])
