"""What can be wrong with a recipe, as data: where, what, and what would be right."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, field_validator

if TYPE_CHECKING:
    from recipe.step import Step

Code = Literal[
    "unknown_step",
    "unknown_field",
    "missing_field",
    "unknown_column",
    "unknown_table",
    "unknown_operator",
    "unknown_function",
    "wrong_type",
    "bad_value",
    "duplicate_column",
    "cycle",
    "not_source_first",
    "formula_syntax",
    "too_many_values",
    "cast_failed",
    "assert_failed",
]

MAX_ALTERNATIVES = 100
"""So that a mistake in a table of a thousand columns stays a small answer."""
_LONGEST_NAME = 1000
"""Characters of a name that is still compared with those there are."""
_LONGEST_MESSAGE = 1500
"""Whatever it quotes, a message is something to read."""


class RecipeError(BaseModel):
    """One problem, at its step (counted from 0, disabled steps included) and field."""

    model_config = ConfigDict(frozen=True)

    step: int
    step_id: str | None = None
    type: str | None = None
    field: str | None = None
    """Path inside the step: `column`, `where.all.0.value`, `aggregates.1.alias`."""
    code: Code
    message: str
    alternatives: tuple[str, ...] = ()

    @field_validator("message")
    @classmethod
    def _readable(cls, message: str) -> str:
        return shortened(message, _LONGEST_MESSAGE)


def error_at(
    index: int,
    step: "Step",
    code: Code,
    message: str,
    field: str = "",
    alternatives: Sequence[str] = (),
) -> RecipeError:
    """A problem of a step that could be read, at its place in the recipe."""
    return RecipeError(
        step=index,
        step_id=step.id,
        type=step.kind(),
        field=field or None,
        code=code,
        message=message,
        alternatives=tuple(alternatives),
    )


class RecipeProblems(Exception):
    """The recipe cannot be used; `errors` says why, in the order of its steps."""

    def __init__(self, errors: Iterable[RecipeError]) -> None:
        self.errors: list[RecipeError] = sorted(errors, key=lambda error: error.step)
        super().__init__("; ".join(f"step {e.step}: {e.message}" for e in self.errors))


@dataclass(frozen=True)
class Finding:
    """A problem as the part that found it knows it: not yet at which step."""

    code: Code
    message: str
    field: str = ""
    alternatives: tuple[str, ...] = ()

    def under(self, *path: str | int) -> "Finding":
        """The same problem, seen from the part that holds this one at `path`."""
        here = ".".join(str(part) for part in path)
        return replace(self, field=".".join(filter(None, (here, self.field))))


class Misfit(Exception):
    """A step does not fit the table it is applied to: one finding or several."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        super().__init__("; ".join(finding.message for finding in findings))


class Gathering:
    """Lets the parts of a step fail one by one, so that all their problems are told together."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Collect what goes wrong inside, under that path, and go on after the block."""
        try:
            yield
        except Misfit as misfit:
            self.findings += [finding.under(*path) for finding in misfit.findings]


@contextmanager
def gathering() -> Iterator[Gathering]:
    """A block whose collected problems are raised together at its end."""
    gathered = Gathering()
    yield gathered
    if gathered.findings:
        raise Misfit(*gathered.findings)


@contextmanager
def within(*path: str | int) -> Iterator[None]:
    """What goes wrong inside lies under that path."""
    try:
        yield
    except Misfit as misfit:
        raise Misfit(*(finding.under(*path) for finding in misfit.findings)) from None


def misfit(code: Code, message: str, field: str = "", alternatives: Sequence[str] = ()) -> Misfit:
    """One problem, ready to be raised."""
    return Misfit(Finding(code, message, field, tuple(alternatives[:MAX_ALTERNATIVES])))


def unknown(code: Code, kind: str, name: str, known: Sequence[str], field: str = "") -> Misfit:
    """There is no such `kind` (a column, a table, …) here; the nearest names come first."""
    near = nearest(name, known)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    ordered = [*near, *(other for other in known if other not in near)]
    return misfit(code, f"There is no {kind} '{shortened(name)}' here.{guess}", field, ordered)


def shortened(text: str, most: int = 80) -> str:
    """A text as a message quotes it: its beginning, when it is long."""
    return text if len(text) <= most else f"{text[:most]}…"


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Up to three of the known names that look like the given one, the likeliest first."""
    if len(name) > _LONGEST_NAME:
        return []
    by_folded: dict[str, str] = {}
    for other in known:
        by_folded.setdefault(other.casefold(), other)
    return [by_folded[key] for key in get_close_matches(name.casefold(), list(by_folded), n=3)]
