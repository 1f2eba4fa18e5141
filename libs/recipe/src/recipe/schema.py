"""Finds the way from a validation error's location back to the field it means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from recipe.part import Part


@dataclass(frozen=True)
class Place:
    """A field of a step: its path as users see it, its neighbours, its choices."""

    path: tuple[str | int, ...]
    siblings: tuple[str, ...]
    choices: tuple[str, ...]


def place(model: type[Part], location: Sequence[str | int]) -> Place:
    """Where a location of pydantic's lies; names of branches of a union are left out."""
    path: list[str | int] = []
    holder: type[Part] | None = model
    annotation: object = None
    for part in location:
        branch = next((m for m in _models(annotation) if m.__name__ == part), None)
        if branch is not None and annotation is not None:
            holder, annotation = branch, None
        elif isinstance(part, int):
            path.append(part)
        elif part in {"name", "item"} and path and annotation is not None:
            found = list(_models(annotation))
            holder, annotation = (
                (found[0], None) if found and part == "item" else (None, annotation)
            )
        else:
            if annotation is not None:
                holder = next(_models(annotation), holder)
            path.append(part)
            annotation = _annotation(holder, str(part))
    return Place(tuple(path), _fields(holder), tuple(_choices(annotation)))


def _fields(model: type[Part] | None) -> tuple[str, ...]:
    if model is None:
        return ()
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _annotation(model: type[Part] | None, name: str) -> object:
    for field_name, field in model.model_fields.items() if model else ():
        if name in {field_name, field.alias}:
            return field.annotation
    return None


def _models(annotation: object) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, Part):
            yield annotation
        return
    for inner in get_args(annotation):
        yield from _models(inner)


def _choices(annotation: object) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from (str(value) for value in get_args(annotation))
        return
    for inner in get_args(annotation):
        yield from _choices(inner)
