"""Writes the table of settings in docs/operations.md, from the services' Settings classes."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from chassis.settings import BusSettings, ServiceSettings
from stack.services import NAMES

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN = "<!-- Written by `just generate` from the Settings classes. -->"
END = "<!-- The end of what is written. -->"
HEAD = ("| setting | of | default | what |", "|---|---|---|---|")

Row = tuple[str, str, str]
"""Name, default, what it is: equal rows of several services are one."""


def main() -> None:
    """Rewrite the table; with `--check`, only compare it."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + "\n".join((BEGIN, *HEAD, *_lines(), END)) + after
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted)
    elif text != wanted:
        raise SystemExit("docs/operations.md is out of date: run `just generate`")


def _lines() -> Iterator[str]:
    """A line for each setting: first those of all services."""
    owners: dict[Row, list[str]] = {}
    for kind, of in _classes():
        for row in _rows(kind):
            owners.setdefault(row, []).append(of)
    for (name, default, what), of in owners.items():
        yield f"| `{name}` | {', '.join(of)} | {default} | {what} |"


def _classes() -> Iterator[tuple[type[BaseSettings], str]]:
    yield BusSettings, "all"
    yield ServiceSettings, "all but gateway"
    for name in NAMES:
        yield importlib.import_module(f"{name}.settings").Settings, name


def _rows(kind: type[BaseSettings]) -> Iterator[Row]:
    """The settings that a class adds or changes."""
    described = _docstrings(kind)
    for name, what in described.items():
        if not what:
            raise SystemExit(
                f"{kind.__module__}: {name} has no docstring, which is its documentation"
            )
        yield name.upper(), _default(kind.model_fields[name]), what


def _docstrings(kind: type[BaseSettings]) -> dict[str, str]:
    """The docstring after each field of a class, in one line; empty where there is none."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for node, following in zip(body.body, [*body.body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if name in kind.model_fields:
                found[name] = ""
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = re.sub(r"\s+", " ", text).strip().rstrip(".")
                    case _:
                        pass
            case _:
                pass
    return found


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    others = ", ".join(str(each) for each in choices if each != field.default)
    return _shown(field.default) + (f" (or {others})" if others else "")


def _shown(default: Any) -> str:
    if default is None or default == ():
        return "none"
    return f"{default:g}" if isinstance(default, float) and default < 1e5 else str(default)


if __name__ == "__main__":
    main()
