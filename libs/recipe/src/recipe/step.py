"""What a step is, and how the steps there are find their way into the language.

A step is one file in `steps/`: a frozen model with `type: Literal["..."]`, a docstring that is its
help text, fields whose `json_schema_extra` says how a form draws them, and `apply`. Nothing else
has to know about it: `discover` reads the folder.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Self, get_args

from pydantic import Field

from recipe.part import Part

if TYPE_CHECKING:
    from recipe.frame import Frame
    from recipe.scope import Scope


class Step(Part):
    """The base of all steps."""

    label: ClassVar[str] = ""
    """How a list of steps calls this kind of step."""
    table_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that name other tables (or hold tuples of their names, or nothing)."""
    keeps_columns: ClassVar[bool] = False
    """Whether later steps can be checked although this one failed."""

    id: str | None = Field(default=None, max_length=200, json_schema_extra={"hidden": True})
    enabled: bool = Field(default=True, json_schema_extra={"hidden": True})
    note: str | None = Field(default=None, max_length=2000, json_schema_extra={"hidden": True})

    @classmethod
    def kind(cls) -> str:
        """The one value of `type`."""
        return get_args(cls.model_fields["type"].annotation)[0]

    def apply(self, frame: "Frame", scope: "Scope") -> "Frame":
        """The table after this step.

        Raises:
            Misfit: the step does not fit the columns it is applied to.
        """
        raise NotImplementedError

    def tables(self) -> Iterator[tuple[str, str]]:
        """The tables this step mentions, each with the field that names it."""
        for field in self.table_fields:
            value: str | tuple[str, ...] | None = getattr(self, field)
            public = type(self).model_fields[field].alias or field
            if isinstance(value, str):
                yield public, value
            elif value:
                yield from ((f"{public}.{index}", name) for index, name in enumerate(value))

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same step with tables called by other names; names not given stay."""
        changes: dict[str, str | tuple[str, ...]] = {}
        for field in self.table_fields:
            value: str | tuple[str, ...] | None = getattr(self, field)
            if isinstance(value, str):
                changes[field] = names.get(value, value)
            elif value:
                changes[field] = tuple(names.get(name, name) for name in value)
        return self.model_copy(update=changes)

    def pinned(self, names: Mapping[str, str]) -> Self:
        """The same step with what follows from its tables' display names written out.

        `names` maps the names that the step calls tables by to display names.
        """
        del names
        return self

    def unpinned(self, names: Mapping[str, str]) -> Self:
        """The same step without what its tables' display names say as well; undoes `pinned`."""
        del names
        return self


def discover() -> tuple[type[Step], ...]:
    """Every step there is, by its type's name.

    Raises:
        TypeError: two files define one type.
    """
    from recipe import steps

    found: dict[str, type[Step]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(steps.__path__)):
        loaded = importlib.import_module(f"{steps.__name__}.{module}")
        for value in vars(loaded).values():
            if not (isinstance(value, type) and issubclass(value, Step)):
                continue
            if value.__module__ == loaded.__name__ and "type" in value.model_fields:
                if value.kind() in found:
                    raise TypeError(f"the step {value.kind()!r} is defined twice")
                found[value.kind()] = value
    return tuple(found[kind] for kind in sorted(found))
