"""What a function of formulas is: its description as data, its result's type, its compilation.

A function is one decorated compilation in `functions/`; nothing else has to know about it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from recipe.formula.typed import Typed
from recipe.tables import COLUMN_TYPES, ColumnType

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from recipe.formula.call import Call, Cell

Group = Literal["logic", "text", "numbers", "dates", "conversion", "operators"]

ANY: tuple[ColumnType, ...] = COLUMN_TYPES
TEXT: tuple[ColumnType, ...] = ("text",)
NUMBER: tuple[ColumnType, ...] = ("integer", "decimal")
DATE: tuple[ColumnType, ...] = ("date", "timestamp")
BOOLEAN: tuple[ColumnType, ...] = ("boolean",)


class Argument(BaseModel):
    """One argument of a function as people see it."""

    model_config = ConfigDict(frozen=True)

    name: str
    types: tuple[ColumnType, ...]
    optional: bool = False
    default: str | None = None
    """What stands for it where it is left out, as it would be written."""
    repeats: bool = False
    """Whether it may be given again, together with its neighbours that repeat."""
    constant: bool = False
    """Whether it has to be written out, not computed."""
    choices: tuple[str, ...] = ()


class Signature(BaseModel):
    """A function as people see it."""

    model_config = ConfigDict(frozen=True)

    name: str
    group: Group
    arguments: tuple[Argument, ...]
    returns: tuple[ColumnType, ...]
    help: str
    example: str

    def spread(self, count: int) -> list[Argument]:
        """The argument that each of `count` values is for; fewer if there is no place for all."""
        first = next((i for i, a in enumerate(self.arguments) if a.repeats), None)
        if first is None:
            return list(self.arguments[:count])
        group = [argument for argument in self.arguments if argument.repeats]
        before, after = self.arguments[:first], self.arguments[first + len(group) :]
        times = max(1, (count - first) // len(group))
        return [*before, *group * times, *after][:count]

    def required(self) -> int:
        """How many values it takes at least."""
        return sum(not argument.optional for argument in self.arguments)


Result = ColumnType | Callable[[Sequence[Typed]], ColumnType]
Compile = Callable[["Call"], "ir.Value | Cell"]
"""The expression; a `Cell` where the result can be larger than every argument."""


@dataclass(frozen=True)
class Function:
    """A function: what people see, and how it is typed and compiled."""

    signature: Signature
    result: Result
    compile: Compile

    def type_of(self, arguments: Sequence[Typed]) -> ColumnType:
        """The type of its result, for arguments of the types it takes.

        Raises:
            Misfit: the arguments do not go together, or a constant is none it can use.
        """
        return self.result(arguments) if callable(self.result) else self.result


FUNCTIONS: dict[str, Function] = {}
"""Every function and operator, by its name in capitals or its sign."""


def function(
    name: str,
    *arguments: Argument,
    group: Group,
    returns: Result,
    help: str,
    example: str,
    types: tuple[ColumnType, ...] = (),
) -> Callable[[Compile], Compile]:
    """Define a function; `types` lists what it can return where `returns` computes it.

    Raises:
        TypeError: two functions have one name.
    """
    if name in FUNCTIONS:
        raise TypeError(f"the function {name} is defined twice")
    signature = Signature(
        name=name,
        group=group,
        arguments=arguments,
        returns=types if callable(returns) else (returns,),
        help=help,
        example=example,
    )

    def define(compile: Compile) -> Compile:
        FUNCTIONS[name] = Function(signature, returns, compile)
        return compile

    return define
