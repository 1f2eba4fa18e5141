"""Reads recipes that users wrote; the one place where validation errors become recipe errors."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from recipe.errors import (
    MAX_ALTERNATIVES,
    Code,
    RecipeError,
    RecipeProblems,
    error_at,
    nearest,
    shortened,
)
from recipe.formula.parser import formula_parts
from recipe.recipe import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_FORMULA_PARTS,
    MAX_STEPS,
    STEP,
    STEPS_BY_TYPE,
    Recipe,
    misplaced,
)
from recipe.schema import place
from recipe.step import Step
from recipe.steps.add_column import AddColumn

_CODES: frozenset[str] = frozenset(get_args(Code))
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_UNKNOWN_WORD: Mapping[str, Code] = {"operator": "unknown_operator", "function": "unknown_function"}
"""Fields whose choices have a code of their own; elsewhere a wrong choice is a bad value."""


def parse(data: object) -> Recipe:
    """The recipe a user wrote (JSON already decoded).

    Raises:
        RecipeProblems: every problem of its form, by step.
    """
    if isinstance(data, Recipe):
        return data
    steps, errors = read(data)
    if errors:
        raise RecipeProblems(errors)
    return Recipe.model_construct(version=1, steps=tuple(filter(None, steps)))


def read(data: object) -> tuple[Sequence[Step | None], list[RecipeError]]:
    """The steps that could be read, None for the others, and what is wrong."""
    if isinstance(data, Recipe):
        return data.steps, []
    if wrong := _limits(data):
        return [], [wrong]
    recipe = cast("Mapping[str, object]", data)
    raw = recipe.get("steps")
    errors = [
        _whole("unknown_field", f"A recipe has no field '{key}'.", key, ["version", "steps"])
        for key in recipe
        if key not in {"version", "steps"}
    ]
    version = recipe.get("version", 1)
    if version != 1 or isinstance(version, bool):
        errors.append(_whole("bad_value", "The version of the language is 1.", "version", ["1"]))
    if "steps" not in recipe:
        return [], [*errors, _whole("missing_field", "A recipe needs steps.", "steps")]
    if not isinstance(raw, list | tuple):
        return [], [*errors, _whole("bad_value", "Steps are a list.", "steps")]
    if len(raw) > MAX_STEPS:
        message = f"A recipe has at most {MAX_STEPS} steps; this one has {len(raw)}."
        return [], [*errors, _whole("bad_value", message, "steps")]
    steps: list[Step | None] = []
    for index, item in enumerate(raw):
        step, found = _read_step(index, item)
        steps.append(step)
        errors += found
    errors += _too_many_parts(steps)
    types = [_text(item, "type") for item in raw] or [None]
    errors += [
        _at(index, raw[index] if raw else None, "not_source_first", message, "type", ["source"])
        for index, message in misplaced(types)
        if types[index] is None or types[index] in STEPS_BY_TYPE
    ]
    if steps and steps[0] is not None and not steps[0].enabled:
        message = "The source cannot be disabled."
        errors.append(_at(0, raw[0], "bad_value", message, "enabled"))
    misplaced_sources = {error.step for error in errors if error.code == "not_source_first"}
    usable = [None if index in misplaced_sources else step for index, step in enumerate(steps)]
    return usable, errors


def _too_many_parts(steps: Sequence[Step | None]) -> list[RecipeError]:
    """At the first step whose formula is one too many: together they take too long to compile."""
    parts = 0
    for index, step in enumerate(steps):
        if not isinstance(step, AddColumn) or step.formula is None:
            continue
        parts += formula_parts(step.formula)
        if parts > MAX_FORMULA_PARTS:
            message = (
                f"The formulas of a recipe have at most {MAX_FORMULA_PARTS:,} values, columns and "
                "functions in all. Split the recipe into two transformations."
            )
            return [error_at(index, step, "bad_value", message, "formula")]
    return []


def _read_step(index: int, item: object) -> tuple[Step | None, list[RecipeError]]:
    if not isinstance(item, Mapping):
        return None, [_at(index, item, "bad_value", "A step is an object with a type.")]
    try:
        return STEP.validate_python(dict(item)), []
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        # An item that cannot be read is missing from its list: the list is not too short as well.
        told = [error for error in errors if error["type"] != "too_short"] or errors
        found = [_translated(index, item, error) for error in told]
        return None, list({(e.field, e.code): e for e in found}.values())


def _translated(index: int, item: Mapping[str, object], error: ErrorDetails) -> RecipeError:
    """One validation error of pydantic as a recipe error."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "union_tag_not_found":
        known = list(STEPS_BY_TYPE)
        return _at(index, item, "missing_field", "A step needs a type.", "type", known)
    if kind == "union_tag_invalid":
        name = str(context.get("tag", ""))
        return _guess(
            index, item, "unknown_step", "type of step", name, list(STEPS_BY_TYPE), "type"
        )
    step = STEPS_BY_TYPE[str(error["loc"][0])]
    where = place(step, error["loc"][1:])
    path = ".".join(str(part) for part in where.path)
    last = str(where.path[-1]) if where.path else ""
    if kind in _CODES:
        field = ".".join(filter(None, (path, str(context.get("field", "")))))
        return _at(
            index, item, cast("Code", kind), error["msg"], field, context.get("alternatives", ())
        )
    if kind == "extra_forbidden":
        return _guess(index, item, "unknown_field", "field", last, where.siblings, path)
    if kind == "missing":
        return _at(index, item, "missing_field", f"'{last}' is missing.", path)
    if kind == "literal_error":
        code = _UNKNOWN_WORD.get(last, "bad_value")
        return _guess(index, item, code, last, str(error["input"]), where.choices, path)
    return _at(index, item, "bad_value", f"'{last}': {error['msg']}.", path)


def _guess(
    index: int,
    item: object,
    code: Code,
    kind: str,
    name: str,
    known: Sequence[str],
    field: str,
) -> RecipeError:
    near = nearest(name, known)
    guess = f" Did you mean '{near[0]}'?" if near else f" There are: {', '.join(known)}."
    ordered = [*near, *(other for other in known if other not in near)]
    return _at(index, item, code, f"There is no {kind} '{shortened(name)}'.{guess}", field, ordered)


def _at(
    index: int,
    item: object,
    code: Code,
    message: str,
    field: str = "",
    alternatives: Sequence[str] = (),
) -> RecipeError:
    return RecipeError(
        step=index,
        step_id=_text(item, "id"),
        type=_text(item, "type"),
        field=field or None,
        code=code,
        message=message,
        alternatives=tuple(alternatives[:MAX_ALTERNATIVES]),
    )


def _whole(
    code: Code, message: str, field: str | None = None, alternatives: Sequence[str] = ()
) -> RecipeError:
    return RecipeError(
        step=0, field=field, code=code, message=message, alternatives=tuple(alternatives)
    )


def _text(item: object, key: str) -> str | None:
    value = item.get(key) if isinstance(item, Mapping) else None
    return value if isinstance(value, str) else None


def _limits(data: object) -> RecipeError | None:
    """What is wrong with the document as such, before anything in it is looked at."""
    if not isinstance(data, Mapping):
        return _whole("bad_value", "A recipe is an object with steps.")
    if _too_deep(data):
        return _whole("bad_value", f"A recipe is nested at most {MAX_DEPTH} levels deep.")
    if not _storable(data):
        return _whole(
            "bad_value", "Text holds a character that cannot be stored, or a number is none."
        )
    try:
        size = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
    except (TypeError, ValueError):
        return _whole("bad_value", "A recipe is made of JSON values only.")
    if size > MAX_BYTES:
        return _whole("bad_value", f"A recipe has at most {MAX_BYTES} bytes; this one {size}.")
    return None


def _too_deep(data: object) -> bool:
    level: list[object] = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _storable(data: object) -> bool:
    """PostgreSQL's text holds no NUL and no half of a surrogate pair; JSON no infinity."""
    pending: list[object] = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            pending += value
        elif isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif isinstance(value, str) and _UNSTORABLE.search(value):
            return False
    return True
