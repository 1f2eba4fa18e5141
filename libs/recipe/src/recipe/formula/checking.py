"""Gives every part of a formula its type, and tells all that does not fit."""

from dataclasses import dataclass, field

from recipe.errors import Code, Finding, Misfit, misfit, nearest
from recipe.formula.function import FUNCTIONS, Argument, Function
from recipe.formula.functions import SIGNATURES
from recipe.formula.tree import Call, Literal, Named, Node, Value
from recipe.formula.typed import Typed
from recipe.tables import TIMES, Column, ColumnType

_CONVERSIONS: dict[ColumnType, str] = {
    "text": "TEXT",
    "integer": "VALUE",
    "decimal": "VALUE",
    "date": "DATEVALUE",
    "timestamp": "DATEVALUE",
}


def check_types(node: Node, columns: tuple[Column, ...]) -> Typed:
    """The formula with its types.

    Raises:
        Misfit: with every problem of every part, from left to right.
    """
    checking = _Checking(columns)
    typed = checking.typed(node)
    if typed is None:
        raise Misfit(*checking.findings)
    return typed


def type_of(value: Value) -> ColumnType:
    """The type of a value that is written out."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    return "integer" if isinstance(value, int) else "decimal"


@dataclass
class _Checking:
    columns: tuple[Column, ...]
    findings: list[Finding] = field(default_factory=list)

    def typed(self, node: Node) -> Typed | None:
        """The part with its type; None where something in it is wrong, which is then noted."""
        try:
            match node:
                case Literal():
                    return Typed(type_of(node.value), node.position, value=node.value)
                case Named():
                    column = self._column(node)
                    return Typed(column.type, node.position, column=column)
                case Call():
                    return self._call(node)
        except Misfit as misfit:
            self.findings += misfit.findings
            return None

    def _column(self, node: Named) -> Column:
        for column in self.columns:
            if column.name == node.name:
                return column
        for column in self.columns:
            if column.physical == node.name:
                return column
        names = [column.name for column in self.columns]
        near = nearest(node.name, names)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        raise misfit(
            "unknown_column",
            f"There is no column '{node.name}', as at {node.position}.{guess}",
            "",
            [*near, *(name for name in names if name not in near)],
        )

    def _call(self, node: Call) -> Typed | None:
        function = FUNCTIONS.get(node.name)
        if function is None:
            self.findings += _unknown(node).findings
        arguments = [self.typed(argument) for argument in node.arguments]
        if function is None:
            return None
        places = function.signature.spread(len(arguments))
        fits = self._count_fits(node, function, len(places))
        for argument, place in zip(arguments, places, strict=False):
            if argument is not None:
                fits = self._fits(argument, place, node) and fits
        known = [argument for argument in arguments if argument is not None]
        if not fits or len(known) < len(arguments):
            return None
        try:
            result = function.type_of(known)
        except Misfit as misfit:
            self.findings += misfit.findings
            return None
        if result in TIMES and node.name == "+" and len(known) > 2:
            known = _one_count(known, node, function)
        return Typed(result, node.position, function=function, arguments=tuple(known))

    def _count_fits(self, node: Call, function: Function, places: int) -> bool:
        given, signature = len(node.arguments), function.signature
        repeated = [argument.name for argument in signature.arguments if argument.repeats]
        if given > places and repeated:
            absent = repeated[-1]
            self._note("missing_field", f"{node.name} at {node.position} lacks its last {absent}.")
        elif given > places:
            message = f"{node.name} at {node.position} takes at most {places} values, not {given}."
            self._note("bad_value", message)
        elif given < signature.required():
            # Arguments that are needed stand before those that are not, or around a repetition.
            needed = [argument for argument in signature.arguments if not argument.optional]
            absent = ", ".join(argument.name for argument in needed[given:])
            self._note("missing_field", f"{node.name} at {node.position} lacks: {absent}.")
        else:
            return True
        return False

    def _fits(self, argument: Typed, place: Argument, node: Call) -> bool:
        if argument.type not in place.types:
            self.findings += _mistyped(argument, place, node, self.columns).findings
            return False
        if place.constant and argument.value is None:
            self._note(
                "bad_value",
                f"{node.name} at {node.position} wants '{place.name}' written out; at"
                f" {argument.position} it would be computed.",
                place.choices,
            )
            return False
        if place.choices and str(argument.value).lower() not in place.choices:
            listed = ", ".join(f'"{choice}"' for choice in place.choices)
            self._note(
                "bad_value",
                f"{node.name} at {node.position} knows no {place.name} {argument.shown()}: it is one"
                f" of {listed}.",
                place.choices,
            )
            return False
        return True

    def _note(self, code: Code, message: str, alternatives: tuple[str, ...] = ()) -> None:
        self.findings.append(Finding(code, message, "", alternatives))


def _one_count(values: list[Typed], node: Call, function: Function) -> list[Typed]:
    """A date and the sum of all that is added to it."""
    (date,) = (value for value in values if value.type in TIMES)
    days = [value for value in values if value is not date]
    total = Typed(function.type_of(days), node.position, function=function, arguments=tuple(days))
    return [date, total]


def _unknown(node: Call) -> Misfit:
    names = [signature.name for signature in SIGNATURES]
    near = nearest(node.name, names)
    guess = f"; did you mean {near[0]}?" if near else "."
    return misfit(
        "unknown_function",
        f"Unknown function {node.name} at {node.position}{guess}",
        "",
        [*near, *(name for name in names if name not in near)],
    )


def _mistyped(argument: Typed, place: Argument, node: Call, columns: tuple[Column, ...]) -> Misfit:
    named = f"'{node.name}'" if not node.name.isalpha() else node.name
    wanted = " or ".join(place.types)
    message = (
        f"{named} at {node.position} takes {wanted}, but {argument.shown()} at"
        f" {argument.position} is {argument.type}"
    )
    by = _CONVERSIONS.get(place.types[0])
    readable = argument.type == "text" or by == "TEXT"
    message += f"; {by}(…) makes it {place.types[0]}." if by and readable else "."
    fitting = [column.name for column in columns if column.type in place.types]
    return misfit("wrong_type", message, "", fitting if argument.column is not None else [])
