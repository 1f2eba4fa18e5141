"""Regular expressions that users write, looked at before PostgreSQL sees them."""

import re

from recipe.errors import misfit

_MAX_LENGTH = 1000
_POSTGRES_ONLY = (
    (re.compile(r"\[\[:[a-z]+:\]"), "[a"),
    (re.compile(r"\[:[a-z]+:\]"), "a"),
    (re.compile(r"\\[mMyYA<>Z]"), r"\\b"),
)
"""What PostgreSQL's advanced regular expressions have and Python's lack, as something alike."""


def check_regex(pattern: str, field: str) -> None:
    """Raise `bad_value` for a pattern that is no regular expression.

    Python's parser stands in for PostgreSQL's: brackets, repetitions and groups agree.
    """
    if len(pattern) > _MAX_LENGTH:
        raise misfit("bad_value", f"A pattern has at most {_MAX_LENGTH} characters.", field)
    similar = pattern
    for special, alike in _POSTGRES_ONLY:
        similar = special.sub(alike, similar)
    try:
        re.compile(similar)
    except (re.error, RecursionError, OverflowError) as wrong:
        raise misfit("bad_value", f"This is no regular expression: {wrong}.", field) from None
