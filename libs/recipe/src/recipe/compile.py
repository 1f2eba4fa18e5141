"""From a recipe to one SELECT: a fold over its steps, each a query over the one before.

Every step becomes a common table expression (`step_3`), compiled by Ibis on its own. So the
statement reads like the recipe, two hundred steps are no deeper than two, and a step that fails is
known by its number. PostgreSQL folds such expressions into one plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recipe.checks import DataCheck, Requirement
from recipe.context import Context, Watched
from recipe.errors import Misfit, RecipeError, RecipeProblems, error_at, misfit
from recipe.naming import physical_names
from recipe.parse import read
from recipe.recipe import MAX_COLUMNS, MAX_COMPUTED_COLUMNS, Recipe
from recipe.step import Step
from recipe.tables import Catalogue, Column, Table

if TYPE_CHECKING:
    from sqlglot import exp

    from recipe.frame import Frame, OrderKey
    from recipe.predicate import Predicate

_ANY_DAY = Context(as_of=datetime(2000, 1, 1, tzinfo=UTC))
"""Types do not depend on the day, so neither does a check."""


@dataclass(frozen=True)
class Fragment:
    """One step as a common table expression."""

    index: int
    step: Step
    name: str
    query: "exp.Select"
    materialized: bool = False


@dataclass(frozen=True)
class Compiled:
    """A recipe as one statement.

    `sql` gives `columns` under their physical names, in the order the recipe sorted them; it is to
    run in a session whose time zone is the organisation's. `reads` are the ids of the tables.
    """

    sql: str
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    fragments: tuple[Fragment, ...]
    source_columns: tuple[Column, ...]
    """The same columns as the last fragment calls them."""
    order: "tuple[OrderKey, ...]"
    checks: tuple[DataCheck, ...] = ()
    """What the data has to fulfil before the rows may be published, in the order of the steps."""
    depends_on_now: bool = False
    """Whether another moment would give another statement."""


@dataclass(frozen=True)
class Checked:
    """What is wrong with a recipe, and the columns after each step before the first problem."""

    errors: list[RecipeError]
    steps: list[tuple[Column, ...]]
    open: int | None = None
    """The step whose columns have to be read from the data first (see `recipe.open_names`).

    The columns listed after it are those that are certain; what the steps behind it do with columns
    is not checked, and they are not in `steps`."""


def check(recipe: object, tables: Mapping[str, Table], context: Context = _ANY_DAY) -> Checked:
    """Check a recipe, parsed or as a user wrote it, against the tables; no data is touched.

    Problems of its form and of its columns are reported together, by step. A disabled step has the
    columns of the step before it. A pivot whose names were not read yet is no problem: the check of
    columns ends there (`Checked.open`).
    """
    steps, errors = read(recipe)
    fold = _fold(steps, tables, context, None)
    found = sorted([*errors, *fold.errors], key=lambda error: error.step)
    good = min((error.step for error in found), default=len(fold.columns))
    return Checked(found, fold.columns[:good], None if found else fold.open)


def compile_recipe(
    recipe: Recipe,
    tables: Mapping[str, Table],
    context: Context,
    until_step: int | None = None,
) -> Compiled:
    """The recipe, up to and including `until_step` (from 0), as one SELECT of PostgreSQL.

    Raises:
        RecipeProblems: the steps asked for do not fit the tables.
    """
    from recipe.statement import whole
    from recipe.weight import weighed

    watched = Watched.of(context)
    fold = _fold(recipe.steps, tables, watched, until_step)
    if fold.open is not None:
        message = (
            "The columns of this step are named in the data, and nobody has read it yet. Save the "
            "recipe again when its tables have data, or list the names."
        )
        fold.errors.append(error_at(fold.open, recipe.steps[fold.open], "missing_field", message))
    if fold.errors or fold.frame is None:
        raise RecipeProblems(fold.errors)
    columns = fold.frame.columns
    names = physical_names([column.name for column in columns])
    final = tuple(
        column.model_copy(update={"physical": name})
        for column, name in zip(columns, names, strict=True)
    )
    fragments = tuple(weighed(fold.fragments))
    parts = (final, fold.reads, fragments, columns, fold.frame.order)
    checks = tuple(_data_check(asked, fold.fragments) for asked in fold.asked)
    return Compiled(whole(Compiled("", *parts)), *parts, checks, watched.asked)


def narrowed(compiled: Compiled, predicate: "Predicate", context: Context) -> Compiled:
    """The rows that fit a predicate on the columns of the result.

    Raises:
        Misfit: the predicate does not fit those columns; under `where`.
    """
    from recipe.frame import Frame
    from recipe.scope import Scope
    from recipe.statement import whole
    from recipe.steps.filter import Filter
    from recipe.weight import weighed

    last = compiled.fragments[-1]
    frame = Frame.of(last.name, compiled.source_columns, compiled.order)
    step = Filter(type="filter", where=predicate)
    watched = Watched.of(context)
    layers = _Layers(last.index + 1, step, len(compiled.fragments))
    scope = Scope(Catalogue({}), watched, layers.settle, layers.require)
    filtered = step.apply(frame, scope)
    layers.settle(filtered, "narrowed")
    result = replace(
        compiled,
        fragments=tuple(weighed([*compiled.fragments, *layers.fragments])),
        depends_on_now=compiled.depends_on_now or watched.asked,
    )
    return replace(result, sql=whole(result))


@dataclass(frozen=True)
class _Asked:
    """A requirement, and how many of the recipe's queries come before what it reads."""

    index: int
    step: Step
    requirement: Requirement
    after: int


@dataclass
class _Fold:
    frame: "Frame | None"
    errors: list[RecipeError]
    columns: list[tuple[Column, ...]]
    fragments: list[Fragment]
    reads: tuple[str, ...]
    asked: list[_Asked]
    open: int | None = None


def _fold(
    steps: Sequence[Step | None],
    tables: Mapping[str, Table],
    context: Context,
    until_step: int | None,
) -> _Fold:
    from recipe.frame import Frame
    from recipe.scope import Scope

    catalogue = Catalogue(tables)
    frame = Frame.of("nothing", ())
    fold = _Fold(None, [], [], [], (), [])
    last = len(steps) if until_step is None else until_step + 1
    origin = _origin(steps, catalogue)
    reads: dict[str, None] = {}
    computed = 0
    for index, step in enumerate(steps[:last]):
        if step is None:
            break
        if step.enabled:
            layers = _Layers(index, step, len(fold.fragments))
            scope = Scope(catalogue, context, layers.settle, layers.require, origin)
            try:
                result = _narrow_enough(step.apply(frame, scope))
            except Misfit as unfit:
                fold.errors += _located(unfit, index, step)
                if not step.keeps_columns:
                    break
                result = frame
            frame = result
            computed += len(frame.columns)
            if computed > MAX_COMPUTED_COLUMNS:
                fold.errors.append(_too_wide(index, step, computed))
                break
            if not frame.complete:
                fold.open = index
            elif not fold.errors:
                frame = layers.settle(result, f"step_{index}")
                fold.fragments += layers.fragments
                fold.asked += layers.asked
            found = [catalogue.find(name) for _, name in step.tables()]
            reads |= dict.fromkeys(table.table_id for table in found if table is not None)
        fold.columns.append(frame.columns)
        if fold.open is not None:
            break
    fold.frame = frame
    fold.reads = tuple(reads)
    return fold


def _origin(steps: Sequence[Step | None], catalogue: Catalogue) -> str:
    """Display name of the source's table; empty where there is none."""
    named = steps[0].tables() if steps and steps[0] is not None else ()
    found = next((catalogue.find(name) for _, name in named), None)
    return "" if found is None else found.display_name


class _Layers:
    """The queries that one step becomes: mostly one, none if it only changes the order."""

    def __init__(self, index: int, step: Step, before: int) -> None:
        self._index, self._step, self._before = index, step, before
        self.fragments: list[Fragment] = []
        self.asked: list[_Asked] = []

    def settle(self, frame: "Frame", name: str | None = None) -> "Frame":
        """The frame as the result of a query of its own."""
        from recipe.dialect import passes_on, settled_name, to_tree
        from recipe.frame import Frame

        if (read := settled_name(frame.table)) is not None:
            return Frame.of(read, frame.columns, frame.order)
        query = to_tree(frame.table)
        if passes_on(query):
            read = query.args["from_"].this.name
            return Frame.of(read, frame.columns, frame.order)
        name = name or f"step_{self._index}_{len(self.fragments) + 1}"
        self.fragments.append(Fragment(self._index, self._step, name, query))
        return Frame.of(name, frame.columns, frame.order)

    def require(self, requirement: Requirement) -> None:
        """What the step asks of the data at this point."""
        after = self._before + len(self.fragments)
        self.asked.append(_Asked(self._index, self._step, requirement, after))


def _data_check(asked: _Asked, fragments: Sequence[Fragment]) -> DataCheck:
    """A requirement as a statement of its own: the queries before it, then the offences."""
    from recipe.dialect import to_tree
    from recipe.statement import offences
    from recipe.weight import weighed

    wanted, frame = asked.requirement, asked.requirement.offences
    last = Fragment(asked.index, asked.step, "offences", to_tree(frame.table))
    queries = tuple(weighed([*fragments[: asked.after], last]))
    return DataCheck(
        step=asked.index,
        step_id=asked.step.id,
        type=asked.step.kind(),
        field=wanted.field or None,
        code=wanted.code,
        severity=wanted.severity,
        columns=frame.columns,
        sql=offences(Compiled("", frame.columns, (), queries, frame.columns, frame.order)),
        say=wanted.say,
    )


def _narrow_enough(frame: "Frame") -> "Frame":
    if len(frame.columns) > MAX_COLUMNS:
        raise misfit(
            "bad_value",
            f"A table has at most {MAX_COLUMNS} columns; after this step there would be "
            f"{len(frame.columns)}. Leave some out before.",
        )
    return frame


def _too_wide(index: int, step: Step, computed: int) -> RecipeError:
    message = (
        f"The steps up to here compute {computed:,} columns in all; {MAX_COMPUTED_COLUMNS:,} are "
        "allowed. Select fewer columns in an early step, or split the recipe."
    )
    return error_at(index, step, "bad_value", message)


def _located(unfit: Misfit, index: int, step: Step) -> list[RecipeError]:
    return [
        error_at(index, step, finding.code, finding.message, finding.field, finding.alternatives)
        for finding in unfit.findings
    ]
