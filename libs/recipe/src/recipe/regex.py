"""Regular expressions that users write, looked at before PostgreSQL sees them."""

import re
import warnings

from recipe.errors import misfit

_MAX_LENGTH = 1000
_MOST_TIMES = 255
"""PostgreSQL repeats nothing more often."""

_CLASSES = "alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit"
_POSTGRES_ONLY = (
    (re.compile(rf"\[\[:(?:{_CLASSES}):\]"), "[a"),
    (re.compile(rf"\[:(?:{_CLASSES}):\]"), "a"),
    (re.compile(r"\\[mMyYA<>Z]"), r"\\b"),
)
"""What PostgreSQL's advanced regular expressions have and Python's lack, as something alike."""

_OPTIONS = re.compile(r"\(\?([imsx]+)\)")
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_BRACKET = re.compile(r"\[\^?\]?[^\]]*\]")
_CLASS = re.compile(r"\[:\w*:\]")
_TIMES = re.compile(r"\{(\d+),?(\d*)\}")
_PYTHON_ONLY = (
    (re.compile(r"\(\?(?![:=!#]|<[=!])"), "groups of this kind"),
    (re.compile(r"[*+?}]\+"), "repetitions that give nothing back"),
)
"""What Python's regular expressions have and PostgreSQL's lack."""


def check_regex(pattern: str, field: str) -> None:
    """Raise `bad_value` for a pattern that is no regular expression of PostgreSQL.

    Python's parser stands in for PostgreSQL's: brackets, repetitions and groups agree.
    """
    if len(pattern) > _MAX_LENGTH:
        raise misfit("bad_value", f"A pattern has at most {_MAX_LENGTH} characters.", field)
    similar = pattern
    for special, alike in _POSTGRES_ONLY:
        similar = special.sub(alike, similar)
    try:
        with warnings.catch_warnings():
            # Python means to change what `[[` stands for; PostgreSQL does not.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(similar)
    except (re.error, RecursionError, OverflowError) as wrong:
        raise misfit("bad_value", f"This is no regular expression: {wrong}.", field) from None
    plain = _ESCAPE.sub("a", similar)
    if _CLASS.search(plain):
        raise misfit(
            "bad_value", f"Classes of characters are: {_CLASSES.replace('|', ', ')}.", field
        )
    plain = _BRACKET.sub("a", plain)
    options = _OPTIONS.match(plain)
    for python_only, name in _PYTHON_ONLY:
        if python_only.search(plain, options.end() if options else 0):
            raise misfit("bad_value", f"Regular expressions have no {name} here.", field)
    for times in _TIMES.finditer(plain):
        if any(int(count) > _MOST_TIMES for count in times.groups() if count):
            raise misfit("bad_value", f"Nothing is repeated more than {_MOST_TIMES} times.", field)


def ignoring_case(pattern: str) -> str:
    """The pattern so that capitals and small letters match one another.

    Options stand in one group at the very beginning, or PostgreSQL takes them for a mistake.
    """
    options = _OPTIONS.match(pattern)
    if options is None:
        return f"(?i){pattern}"
    return f"(?{options[1]}i){pattern[options.end() :]}"
