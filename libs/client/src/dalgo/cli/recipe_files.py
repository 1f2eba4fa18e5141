"""Recipes in files: JSON, or YAML that means what the same JSON would."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from dalgo.cli.output import Failure

_YAML = frozenset({".yaml", ".yml"})


def is_file(text: str) -> bool:
    """Whether an argument means a file (or `-`, the input) and not the name of something saved."""
    return text == "-" or Path(text).suffix in {".json", *_YAML} or Path(text).is_file()


def read(file: Path) -> dict[str, Any]:
    """A recipe's JSON; raises Failure with the place where it is none."""
    is_input = str(file) == "-"
    text = sys.stdin.read() if is_input else file.read_text(encoding="utf-8")
    is_yaml = not text.lstrip().startswith(("{", "[")) if is_input else file.suffix in _YAML
    recipe = _yaml(file, text) if is_yaml else _json(file, text)
    if not isinstance(recipe, dict):
        raise Failure(f'{file} is not a recipe: one begins {{"version": 1, "steps": [...')
    return recipe


def _json(file: Path, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(
            f"{file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error


def _yaml(file: Path, text: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Only what looks like it in JSON is a number, true, false or null; all else is text.

        YAML 1.1 would make a date of 2024-01-31, false of `no`, and 750 of 12:30.
        """

        yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for place, key in enumerate(keys):
                if key in keys[:place]:
                    mark = node.value[place][0].start_mark
                    raise yaml.MarkedYAMLError(problem=f"'{key}' stands twice", problem_mark=mark)
            return super().construct_mapping(node, deep)

    number = r"-?(?:0|[1-9][0-9]*)"
    for tag, pattern, first in (
        ("null", "~|null|", ["~", "n", ""]),
        ("bool", "true|false", ["t", "f"]),
        ("int", number, [*"-0123456789"]),
        ("float", rf"{number}(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)", [*"-0123456789"]),
    ):
        resolver = re.compile(f"^(?:{pattern})$")
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", resolver, first)
    try:
        # As JSON and back: what a tag or an alias can make and JSON cannot say is refused here.
        return json.loads(json.dumps(yaml.load(text, Loader), allow_nan=False))  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Failure(f"{file} is not YAML: {error.problem}{place}.") from error
    except yaml.YAMLError as error:
        raise Failure(f"{file} is not YAML: {error}.") from error
    except (TypeError, ValueError) as error:
        raise Failure(f"{file} holds something that JSON has no word for: {error}.") from error
