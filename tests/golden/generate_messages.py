"""One example of every message: `messages/<type name>.json`, bodies as senders of some day wrote them.

`python tests/golden/generate_messages.py` writes those that are missing and never touches one that
is there: a message that was once sent must be understood for ever.
"""

import types
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID, uuid5

from pydantic import BaseModel, SecretStr

from contracts import auth, ingest, orchestrator, transform
from contracts.message import Message, registered
from recipe import Recipe

FOLDER = Path(__file__).parent / "messages"

OWNERS = tuple(module.__name__ for module in (auth, ingest, orchestrator, transform))

_SPACE = UUID("0d1f0c7e-2f6b-5a3e-8b1c-5c2a7d9e4f10")
_TIME = datetime(2026, 3, 18, 6, 30, tzinfo=UTC)
_RECIPE = {
    "version": 1,
    "steps": [
        {"type": "source", "table": "beneficiaries"},
        {"type": "filter", "column": "age", "operator": "greater_than", "value": 17},
    ],
}

_WORDS: Mapping[str, object] = {
    "actor": "11111111-1111-7111-8111-111111111111",
    "delimiter": ";",
    "email": "asha@example.org",
    "encoding": "utf-8",
    "filename": "beneficiaries.csv",
    "quote": '"',
    "recipe": _RECIPE,
    "relation": "v_01jpm3x9k7q2w4e6r8t0y1u3i5",
    "size_bytes": 4096,
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "status": 409,
    "timezone": "Asia/Kolkata",
    "type": "about:blank",
}
"""What stands in a field of this name, if its type takes it."""

_SCALARS: Mapping[object, object] = {
    bool: True,
    int: 3,
    float: 1.5,
    datetime: _TIME,
    time: time(6, 30),
    Recipe: _RECIPE,
    object: "text",
}


def messages() -> list[type[Message]]:
    """Every message of the contracts, by type name."""
    return [kind for kind in registered() if kind.__module__ in OWNERS]


def golden(kind: type[Message]) -> Path:
    """Where the example of a message lies."""
    return FOLDER / f"{kind.type_name()}.json"


def example(kind: type[BaseModel]) -> dict[str, object]:
    """A value for every field, the optional ones too; the same each time."""
    return {name: _value(field.annotation, name) for name, field in kind.model_fields.items()}


def write_missing() -> list[Path]:
    """Write the examples that are not there yet; returns their paths."""
    FOLDER.mkdir(exist_ok=True)
    missing = [kind for kind in messages() if not golden(kind).exists()]
    for kind in missing:
        message = kind.model_validate(example(kind))
        golden(kind).write_text(message.model_dump_json(indent=2) + "\n")
    return [golden(kind) for kind in missing]


def _value(annotation: Any, name: str) -> object:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0], name)
    if origin in (Union, types.UnionType):
        return _value(next(each for each in arguments if each is not type(None)), name)
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return (_value(arguments[0], name),)
    if origin is dict:
        if name in _WORDS:
            return _WORDS[name]
        return {str(_value(arguments[0], "column")): _value(arguments[1], name)}
    if annotation is UUID:
        return uuid5(_SPACE, name)
    if type(_WORDS.get(name)) is annotation:
        return _WORDS[name]
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if annotation is SecretStr:
        return SecretStr("secret")
    if annotation is str:
        return name.replace("_", " ")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return example(annotation)
    raise TypeError(f"no example for {name}: {annotation!r}; add one here")


if __name__ == "__main__":
    for path in write_missing():
        print(path)
