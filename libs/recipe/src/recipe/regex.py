"""Regular expressions that users write, looked at before PostgreSQL sees them.

Python's parser stands in for PostgreSQL's: brackets, repetitions and groups mostly agree. What
Python takes and PostgreSQL does not is found by reading the pattern piece by piece.
"""

import re
from dataclasses import dataclass, field

from recipe.errors import misfit

_MAX_LENGTH = 1000
_MAX_COUNT = 255
_MAX_STATES = 2_000
"""PostgreSQL takes more, and seconds to prepare them."""

_OPTIONS = re.compile(r"\(\?([imsx]+)\)")
_BOUND = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_CLASS = re.compile(r"\[:([a-z]+):\]")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]+|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_CLASSES = frozenset(
    {
        *("alnum", "alpha", "blank", "cntrl", "digit", "graph"),
        *("lower", "print", "punct", "space", "upper", "xdigit"),
    }
)
_POSTGRES_ONLY = "mMyY"
"""Escapes that PostgreSQL has and Python lacks, for ends of words."""


def check_regex(pattern: str, field: str) -> None:
    """Raise `bad_value` for a pattern that PostgreSQL might refuse."""
    if len(pattern) > _MAX_LENGTH:
        raise misfit("bad_value", f"A pattern has at most {_MAX_LENGTH} characters.", field)
    try:
        re.compile(_Reading(pattern).similar())
    except (re.error, RecursionError, OverflowError, ValueError) as wrong:
        raise misfit("bad_value", f"This is no regular expression: {wrong}.", field) from None


def ignoring_case(pattern: str) -> str:
    """The same pattern, for which upper and lower case are alike."""
    options = _OPTIONS.match(pattern)
    if options is None:
        return f"(?i){pattern}"
    return f"(?i{options[1]}){pattern[options.end() :]}"


@dataclass
class _Group:
    lookaround: bool
    captures: bool
    states: int = 0
    """How many states its atoms have, repetitions written out."""
    last: int = 0
    """The same of its last atom, which a repetition may follow."""

    def add(self, states: int) -> None:
        self.states += states
        self.last = states

    def repeat(self, count: int) -> None:
        self.add(self.last * (count - 1))
        if self.states > _MAX_STATES:
            raise ValueError("its repetitions multiply to too many")


@dataclass
class _Reading:
    """Reads a pattern once, from left to right."""

    pattern: str
    at: int = 0
    captured: int = 0
    groups: list[_Group] = field(default_factory=lambda: [_Group(False, False)])
    repeatable: bool = False

    def similar(self) -> str:
        """A pattern for Python that is right if this one is.

        Raises:
            ValueError: PostgreSQL would refuse it; the message says why.
        """
        found: list[str] = []
        if options := _OPTIONS.match(self.pattern):
            found.append(options[0])
            self.at = options.end()
        while self.at < len(self.pattern):
            start = self.at
            alike = self._piece(self.pattern[start])
            found.append(self.pattern[start : self.at] if alike is None else alike)
        return "".join(found)

    def _piece(self, character: str) -> str | None:
        """Read one piece; something alike for Python where it would not understand."""
        match character:
            case "\\":
                return self._escape()
            case "[":
                return self._bracket()
            case "(":
                return self._open()
            case ")":
                return self._close()
            case "*" | "+" | "?" | "{":
                return self._repetition(character)
            case _:
                self.at += 1
                self.repeatable = character not in "^$|"
                self.groups[-1].add(1)
                return None

    def _escape(self) -> str | None:
        escape = _ESCAPE.match(self.pattern, self.at)
        if escape is None:
            raise ValueError("it ends with a backslash")
        self.at = escape.end()
        name = escape[1]
        if name == "N" or _too_long(name):
            raise ValueError(f"there is no escape \\{name}")
        if name in "123456789":
            if any(group.lookaround for group in self.groups):
                raise ValueError("a look to the side holds no back reference")
            if int(name) > self.captured:
                raise ValueError(f"there is no group {name} before its back reference")
        self.repeatable = name not in "AZmMyY"
        self.groups[-1].add(1)
        return r"\b" if name in _POSTGRES_ONLY else None

    def _bracket(self) -> str:
        """A set of characters; Python warns of some that it means to read differently one day."""
        self.at += 1
        found = ["["]
        if self.pattern.startswith("^", self.at):
            found.append("^")
            self.at += 1
        # What a hyphen would be here: `start` of the set, `member` before it, `range` it ends, or none.
        before = "start"
        while before == "start" or not self.pattern.startswith("]", self.at):
            if self.at >= len(self.pattern):
                raise ValueError("a bracket [ is not closed")
            hyphen = self.pattern[self.at] == "-" and before in {"member", "none"}
            if hyphen and self.pattern[self.at + 1 : self.at + 2] != "]":
                if before == "none":
                    raise ValueError("inside brackets - stands between two characters, or last")
                before = "range"
                self.at += 1
                found.append("-")
            else:
                before = "none" if before == "range" else "member"
                found.append(self._member())
        self.at += 1
        self.repeatable = True
        self.groups[-1].add(1)
        return "".join([*found, "]"])

    def _member(self) -> str:
        if named := _CLASS.match(self.pattern, self.at):
            if named[1] not in _CLASSES:
                raise ValueError(f"there is no class of characters [:{named[1]}:]")
            self.at = named.end()
            return r"\w"
        if self.pattern.startswith(("[:", "[.", "[="), self.at):
            raise ValueError("inside brackets stand characters, ranges and classes like [:alpha:]")
        if self.pattern[self.at] == "\\":
            escape = _ESCAPE.match(self.pattern, self.at)
            if escape is None or escape[1][0] in "123456789N" or _too_long(escape[1]):
                raise ValueError("a backslash inside brackets stands before what it escapes")
            self.at = escape.end()
            return escape[0]
        character = self.pattern[self.at]
        self.at += 1
        return re.escape(character)

    def _open(self) -> str | None:
        start = self.at
        if self.pattern.startswith("(?#", start):
            end = self.pattern.find(")", start)
            self.at = end + 1 if end >= 0 else len(self.pattern)
            return None
        look = next((sign for sign in _LOOKAROUND if self.pattern.startswith(sign, start)), None)
        plain = self.pattern.startswith("(?:", start)
        if self.pattern.startswith("(?", start) and not plain and look is None:
            raise ValueError("(? is followed by : = ! <= or <!; options like (?i) stand first")
        self.at += len(look) if look else 3 if plain else 1
        outside = not look and not any(group.lookaround for group in self.groups)
        self.groups.append(_Group(look is not None, outside and not plain))
        self.repeatable = False
        return None

    def _close(self) -> None:
        self.at += 1
        if len(self.groups) == 1:
            raise ValueError("a bracket ) closes none")
        group = self.groups.pop()
        self.captured += group.captures
        self.repeatable = not group.lookaround
        self.groups[-1].add(1)
        self.groups[-1].repeat(max(1, group.states))

    def _repetition(self, character: str) -> str | None:
        count, end = 2, self.at + 1
        if character == "{":
            if not self.pattern[end : end + 1].isdigit():
                self.at = end
                self.repeatable = True
                self.groups[-1].add(1)
                return r"\{"
            bound = _BOUND.match(self.pattern, self.at)
            if bound is None:
                raise ValueError("a brace { is not closed")
            counts = [int(each) for each in (bound[1], bound[3]) if each]
            if max(counts) > _MAX_COUNT:
                raise ValueError(f"a count is at most {_MAX_COUNT}")
            count, end = max(counts) + (bound[2] is not None), bound.end()
        if not self.repeatable:
            raise ValueError(f"{character} repeats nothing")
        self.repeatable = False
        self.at = end + self.pattern.startswith("?", end)
        self.groups[-1].repeat(max(1, count))
        return None


def _too_long(escape: str) -> bool:
    """Whether Python would read only the beginning of a character's number."""
    return escape[0] == "x" and len(escape) > 3
