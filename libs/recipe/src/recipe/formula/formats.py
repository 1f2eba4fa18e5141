"""Patterns of dates that users write, as PostgreSQL's `to_char` reads them."""

import re

TOKENS: dict[str, str] = {
    "YYYY": "YYYY",
    "YY": "YY",
    "MONTH": "FMMonth",
    "MON": "Mon",
    "MM": "MM",
    "DAY": "FMDay",
    "DD": "DD",
    "DY": "Dy",
    "HH24": "HH24",
    "MI": "MI",
    "SS": "SS",
}
"""What a pattern is made of, with its name in `to_char`; all else stands for itself."""

_PARTS = re.compile("|".join(TOKENS))


def pattern(written: str) -> str:
    """The pattern for `to_char`; what is no token is quoted, so that it means nothing to it."""
    parts: list[str] = []
    end = 0
    for token in _PARTS.finditer(written):
        parts += [_quoted(written[end : token.start()]), TOKENS[token[0]]]
        end = token.end()
    return "".join([*parts, _quoted(written[end:])])


def _quoted(plain: str) -> str:
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if plain else ""
