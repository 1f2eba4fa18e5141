"""What was once sent is understood for ever: the examples are only ever added to."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from contracts.envelope import from_body
from contracts.message import Message, lookup

SCRIPT = Path(__file__).parents[2] / "golden" / "generate_messages.py"
EXAMPLES = sorted((SCRIPT.parent / "messages").glob("*.json"))


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_messages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return _generator()


def _missing(before: object, after: object, where: str = "") -> list[str]:
    """Paths of what stands in `before` and is gone or different in `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            path
            for key, value in before.items()
            for path in (
                _missing(value, after[key], f"{where}.{key}")
                if key in after
                else [f"{where}.{key}"]
            )
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = zip(before, after, strict=True)
        return [
            path
            for number, (old, new) in enumerate(pairs)
            for path in _missing(old, new, f"{where}.{number}")
        ]
    return [] if before == after else [where]


def test_every_message_has_an_example(generator: ModuleType) -> None:
    if os.environ.get("GENERATE"):
        generator.write_missing()
    kinds: list[type[Message]] = generator.messages()
    assert [kind.type_name() for kind in kinds if not generator.golden(kind).exists()] == []


def test_the_examples_that_are_there_are_not_written_again(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "FOLDER", tmp_path)
    first = generator.write_missing()
    first[0].write_text("as it was")

    assert generator.write_missing() == []
    assert first[0].read_text() == "as it was"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_understood_and_nothing_of_it_is_lost(path: Path) -> None:
    kind = lookup(path.stem)
    assert kind is not None, f"{path.stem} was sent once and is not known any more"
    message = from_body(kind, path.read_bytes())
    assert _missing(json.loads(path.read_bytes()), json.loads(message.model_dump_json())) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_from_a_newer_sender_is_understood_too(path: Path) -> None:
    kind = lookup(path.stem)
    assert kind is not None
    newer = json.loads(path.read_bytes()) | {"added_later": {"by": "a newer sender"}}
    assert from_body(kind, json.dumps(newer).encode()) == from_body(kind, path.read_bytes())
