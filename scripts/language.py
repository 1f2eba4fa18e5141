"""Writes docs/recipes.md: the recipe language for those who write it, from the language itself.

Steps, fields, operators and functions come from the steps' JSON Schemas and the formulas'
catalogue, so a new step is in the page at once.
"""

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.shares import BUILD_BYTES, BUILD_ROWS, BUILD_TIME
from recipe.formula.functions import SIGNATURES
from recipe.recipe import MAX_BYTES, MAX_DEPTH, MAX_STEPS, STEPS_BY_TYPE

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"

Schema = dict[str, Any]

HEAD = f"""\
# The recipe language

A recipe is a list of steps that reads like a spreadsheet's applied steps. The first one names a table, each other one changes
the rows or columns that the one before left. It is stored as JSON, checked against the tables' columns before any data is read,
and compiled to one SQL statement. This page is written by `just generate` from the language itself.

```json
{{"version": 1, "steps": [
  {{"type": "source", "table": "beneficiaries"}},
  {{"type": "filter", "column": "status", "operator": "equals", "value": "Active"}},
  {{"type": "group", "by": ["district"], "aggregates": [{{"function": "count_rows", "alias": "people"}}]}}
]}}
```

- Tables and columns are called by the names people see; a rename breaks nothing.
- Every step may carry `id`, `note`, and `enabled: false`, which skips it.
- A recipe has at most {MAX_STEPS} steps and {MAX_BYTES // 1024} KiB, and is nested at most {MAX_DEPTH} levels deep.
- Errors say the step (from 0), the field, what is wrong, and what would be right.
- An empty cell is null or text of nothing but white space. Nothing fails because of one cell: what has no result is empty.

A build may take {BUILD_TIME.each // 60} minutes, {BUILD_ROWS.each:,} rows and {BUILD_BYTES.each // 1024**3} GB unless the operator has set
[other limits](operations.md#settings-of-services); past one of them it fails (`build_timed_out`, `build_too_large`), names the step that
is likely at fault, and changes nothing. Mostly that is a join whose key repeats on both sides: 10,000 rows of one key here and 10,000
there are 100,000,000 pairs. Join by more columns, or `dedupe` one side before. Checks and previews say beforehand, as `warnings`, what
PostgreSQL's planner expects of a recipe with `join`, `union`, `unpivot` or `unnest` (`build_too_large_expected`, `many_rows_expected`).
That is an estimate: it stops nothing, and may be wrong in both directions.
"""


def main() -> None:
    """Rewrite the page; with `--check`, only say whether it is what it should be."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit("docs/recipes.md is out of date: run `just generate`")


def page() -> str:
    """The page as it should be."""
    parts = [
        HEAD,
        "\n## Steps\n",
        *_index(),
        *(part for kind in STEPS_BY_TYPE for part in _step(kind)),
    ]
    return "".join([*parts, *_operators(), *_functions()])


def _index() -> Iterator[str]:
    yield "| step | what |\n|---|---|\n"
    for kind, step in sorted(STEPS_BY_TYPE.items()):
        first = inspect.cleandoc(step.__doc__ or "").partition("\n\n")[0]
        yield f"| [{kind}](#{kind}) | {_cell(first)} |\n"


def _step(kind: str) -> Iterator[str]:
    step = STEPS_BY_TYPE[kind]
    schema = step.model_json_schema(by_alias=True)
    yield f"\n### {kind}\n{inspect.cleandoc(step.__doc__ or '')}\n"
    yield from _fields(schema)
    named = {name.rpartition("/")[2] for name in _references(schema["properties"])}
    for name in sorted(named - {"JsonValue", "ReadNames", *_PREDICATES}):
        part = schema["$defs"][name]
        yield f"\n`{name}`: {_cell(part.get('description', '').partition(chr(10) * 2)[0])}\n"
        yield from _fields(part)


_PREDICATES = ("Comparison", "AllOf", "AnyOf", "Not")


def _fields(schema: Schema) -> Iterator[str]:
    rows = [
        f"| `{name}` | {_meaning(field, name in schema.get('required', ()))} | {_form(field)} |\n"
        for name, field in schema.get("properties", {}).items()
        if name != "type" and not field.get("hidden")
    ]
    if rows:
        yield "\n| field | what | given as |\n|---|---|---|\n"
        yield from rows


def _meaning(field: Schema, required: bool) -> str:
    told = _cell(field.get("label", ""))
    shown = field.get("x-show", {})
    when = " and ".join(f"`{other}` is {_listed(values)}" for other, values in shown.items())
    if when and not required:
        return f"{told}; when {when}"
    if required:
        return f"{told} (needed)"
    default = field.get("default")
    return (
        f"{told} [{json.dumps(default, ensure_ascii=False)}]" if default not in (None, []) else told
    )


def _form(field: Schema) -> str:
    forms = list(dict.fromkeys(_forms(field)))
    types = field.get("column_types")
    of = f" of type {_listed(types)}" if types else ""
    examples = ", ".join(
        f"`{json.dumps(each, ensure_ascii=False)}`" for each in field.get("examples", [])[:2]
    )
    return _cell(" or ".join(forms) + of + (f"; for example {examples}" if examples else ""))


def _forms(schema: Schema, outer: str = "") -> Iterator[str]:
    control = schema.get("control", outer)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield (
            "a predicate"
            if name in _PREDICATES
            else "any value"
            if name == "JsonValue"
            else f"`{name}`"
        )
    elif options := schema.get("anyOf", schema.get("oneOf")):
        for option in options:
            if option.get("type") != "null":
                yield from _forms(option, control)
    elif "enum" in schema:
        yield _listed([str(choice) for choice in schema["enum"]])
    elif schema.get("type") == "array":
        inner = " or ".join(dict.fromkeys(_forms(schema.get("items", {}), control))) or "value"
        yield f"list of {inner}"
    elif schema.get("type") == "object":
        yield "object"
    else:
        names = {"table": "table", "column": "column", "columns": "column"}
        words = {
            "string": "text",
            "integer": "whole number",
            "number": "number",
            "boolean": "true or false",
        }
        kind = str(schema.get("type", ""))
        yield (names.get(control) if kind == "string" else None) or words.get(kind, "value")


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value and not value.get("hidden"):
            yield str(value["$ref"])
        for key, inner in value.items():
            if not (isinstance(inner, dict) and inner.get("hidden")) and key != "$defs":
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _operators() -> Iterator[str]:
    schema = STEPS_BY_TYPE["filter"].model_json_schema()["$defs"]["Comparison"]
    field = schema["properties"]["operator"]
    yield "\n## Predicates\n"
    yield (
        'A comparison is `{"column", "operator", "value"}`, or `other_column` in place of `value`; `case_sensitive` overrides '
        "how text is compared. Several are combined as "
        '`{"all": […]}`, `{"any": […]}` and `{"not": …}`.\n\n'
    )
    yield "| operator | reads | on columns of type |\n|---|---|---|\n"
    for name in field["enum"]:
        types = ", ".join(field["operators"][name])
        yield f"| `{name}` | {field['enum_labels'][name]} | {types} |\n"


def _functions() -> Iterator[str]:
    yield "\n## Formulas\n"
    yield (
        "`add_column` with `expression_type: formula`. Columns stand in brackets, text in double quotes, `&` joins text, `=` and "
        "`<>` compare, `+ - * / % ^` compute.\n\n"
    )
    yield "| function | what | for example |\n|---|---|---|\n"
    for each in SIGNATURES:
        names = [f"[{a.name}]" if a.optional else a.name for a in each.arguments]
        more = ", …" if any(a.repeats for a in each.arguments) else ""
        call = f"{each.name}({', '.join(names)}{more})"
        yield f"| `{call}` | {_cell(each.help)} | `{_cell(each.example)}` |\n"


def _listed(values: list[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
