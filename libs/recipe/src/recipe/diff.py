"""What changed between two versions of a recipe: steps added, removed, changed, moved."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict

from recipe.recipe import Recipe
from recipe.step import Step

_NOT_CONTENT = frozenset({"id"})
"""What tools know a step by: another handle makes no other step."""


class FieldChange(BaseModel):
    """One field of a step that has another value; null is a field that is not set."""

    model_config = ConfigDict(frozen=True)

    field: str
    """Path inside the step, as errors name it: `value`, `aggregates.1.alias`."""
    old: object
    new: object


class StepChange(BaseModel):
    """One step that is not as it was. Positions count from 0."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["added", "removed", "changed", "moved"]
    """A step that was changed and moved is `changed`; its positions tell the rest."""
    type: str
    step_id: str | None = None
    old_step: int | None = None
    new_step: int | None = None
    old: dict[str, object] | None = None
    """The whole step as it was; None for an added one."""
    new: dict[str, object] | None = None
    fields: tuple[FieldChange, ...] = ()


def differences(old: Recipe, new: Recipe) -> tuple[StepChange, ...]:
    """What turns `old` into `new`, in the order of the new steps, removed ones where they stood.

    Steps are the same one if they have one id (and type), else if they say the same, else if they
    are of one type and more alike than any others. A field left out counts with its default.
    """
    before = [_Content.of(step) for step in old.steps]
    after = [_Content.of(step) for step in new.steps]
    became = _matched(before, after)
    was = {new_index: old_index for old_index, new_index in became.items()}
    stayed = _stayed(before, after, became)
    removed = [index for index in range(len(before)) if index not in became]
    changes: list[StepChange] = []
    for index, content in enumerate(after):
        while removed and index in stayed and removed[0] < was[index]:
            changes.append(_removed(before, removed.pop(0)))
        if index not in was:
            added = content.step
            changes.append(
                StepChange(
                    kind="added",
                    type=added.kind(),
                    step_id=added.id,
                    new_step=index,
                    new=content.written,
                )
            )
            continue
        fields = tuple(_field_changes("", before[was[index]].fields, content.fields))
        if fields or index not in stayed:
            changes.append(
                StepChange(
                    kind="changed" if fields else "moved",
                    type=content.step.kind(),
                    step_id=content.step.id,
                    old_step=was[index],
                    new_step=index,
                    old=before[was[index]].written,
                    new=content.written,
                    fields=fields,
                )
            )
    return (*changes, *(_removed(before, index) for index in removed))


@dataclass(frozen=True)
class _Content:
    """What a step says."""

    step: Step
    written: dict[str, object]
    """As it is stored."""
    fields: dict[str, object]
    """Every field, those left out with their defaults."""
    said: frozenset[tuple[str, str]]
    """Every value that was written, with its path: to tell how alike two steps are."""
    key: str
    """Equal for steps that say the same."""

    @classmethod
    def of(cls, step: Step) -> "_Content":
        written: dict[str, object] = step.model_dump(mode="json")
        fields = _fields(step)
        said = {(path, value) for path, value in _leaves(written) if path not in {"id", "type"}}
        return cls(step, written, fields, frozenset(said), repr(sorted(_leaves(fields))))

    @property
    def type(self) -> str:
        return self.step.kind()


def _removed(before: Sequence[_Content], index: int) -> StepChange:
    step = before[index].step
    return StepChange(
        kind="removed",
        type=step.kind(),
        step_id=step.id,
        old_step=index,
        old=before[index].written,
    )


def _matched(before: Sequence[_Content], after: Sequence[_Content]) -> dict[int, int]:
    """Which old step became which new one."""
    became: dict[int, int] = {}
    taken: set[int] = set()

    def match(candidates: Iterable[tuple[int, int]]) -> None:
        for old, new in candidates:
            if old not in became and new not in taken:
                became[old] = new
                taken.add(new)

    match(
        (old, new)
        for old, one in enumerate(before)
        for new, other in enumerate(after)
        if one.step.id and (one.type, one.step.id) == (other.type, other.step.id)
    )
    before_keys, after_keys = [one.key for one in before], [one.key for one in after]
    # Of equal steps the one that kept its place is the same one; only then one somewhere else.
    match(_common(before_keys, after_keys))
    match(
        (old, new)
        for old, one in enumerate(before_keys)
        for new, other in enumerate(after_keys)
        if one == other
    )
    match(_alike(before, after, became, taken))
    return became


def _alike(
    before: Sequence[_Content],
    after: Sequence[_Content],
    became: Mapping[int, int],
    taken: set[int],
) -> list[tuple[int, int]]:
    """Steps of one type that are left and have something in common, the likest first.

    Where only one of a type is left on both sides it is the same one, whatever it says.
    """
    left = [old for old in range(len(before)) if old not in became]
    right = [new for new in range(len(after)) if new not in taken]
    old_types = Counter(before[old].type for old in left)
    new_types = Counter(after[new].type for new in right)
    found: list[tuple[float, int, int, int]] = []
    for old in left:
        for new in right:
            kind, one, other = before[old].type, before[old].said, after[new].said
            if kind != after[new].type:
                continue
            is_only = old_types[kind] == new_types[kind] == 1
            if one & other or is_only:
                likeness = len(one & other) / max(1, len(one | other))
                found.append((-likeness, abs(old - new), old, new))
    return [(old, new) for _, _, old, new in sorted(found)]


def _stayed(
    before: Sequence[_Content], after: Sequence[_Content], became: dict[int, int]
) -> set[int]:
    """As many new positions as possible that kept their order; the steps at the others moved.

    Where either of two steps may have moved, it is the one that was changed as well.
    """
    best: list[tuple[int, int, list[int]]] = []
    for old, new in sorted(became.items()):
        ahead = [entry for entry in best if entry[2][-1] < new]
        length, unchanged, run = max(ahead, key=lambda entry: entry[:2], default=(0, 0, []))
        unchanged += before[old].key == after[new].key
        best.append((length + 1, unchanged, [*run, new]))
    return set(max(best, key=lambda entry: entry[:2], default=(0, 0, []))[2])


def _common(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of what stands in both lists in the same order."""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]


def _field_changes(path: str, old: object, new: object) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _field_changes(_joined(path, key), old.get(key), new.get(key))
    elif repr(old) == repr(new):  # 1 and true are equal in Python
        return
    elif isinstance(old, list) and isinstance(new, list) and _holds_objects(old + new):
        yield from _item_changes(path, old, new)
    else:
        yield FieldChange(field=path, old=old, new=new)


def _item_changes(path: str, old: list[object], new: list[object]) -> Iterator[FieldChange]:
    """Item by item: what stayed, however far it was pushed along, is not told."""
    kept = _common([repr(item) for item in old], [repr(item) for item in new])
    for (a, b), (c, d) in pairwise([(-1, -1), *kept, (len(old), len(new))]):
        left, right = old[a + 1 : c], new[b + 1 : d]
        for offset in range(max(len(left), len(right))):
            was = left[offset] if offset < len(left) else None
            now = right[offset] if offset < len(right) else None
            place = b + 1 + offset if offset < len(right) else a + 1 + offset
            yield from _field_changes(_joined(path, place), was, now)


def _holds_objects(items: Iterable[object]) -> bool:
    return any(isinstance(item, dict | list) for item in items)


def _joined(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _fields(part: BaseModel) -> dict[str, object]:
    """A part of a recipe as JSON, with every field by its public name."""
    return {
        field.alias or name: _plain(getattr(part, name))
        for name, field in type(part).model_fields.items()
        if name not in _NOT_CONTENT
    }


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, _joined(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, _joined(path, index))
    else:
        yield path, repr(value)
