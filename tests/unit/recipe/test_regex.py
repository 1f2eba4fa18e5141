"""Patterns that PostgreSQL would refuse are refused before it sees them."""

import pytest

from recipe.errors import Misfit
from recipe.regex import check_regex, ignoring_case

REFUSED = [
    *(r"(?P<n>a)", r"(?>a)", r"(?i:a)", r"(?a)x", r"a(?i)b", r"(?(1)a|b)"),
    *(r"a++", r"a*+", r"a{1}+", r"^*", r"(?=a)*", r"(?<=a)?", r"*a", r"a{300}", r"a{1", r"a{2,1}"),
    *(r"(a)(?=\1)", r"(?=(a))\1", r"\1(a)", r"\N{DIGIT ONE}", r"\x4142", "a\\"),
    *(r"[a--b]", r"[a-b-c]", r"[z-a]", r"[a\1]", r"[[:foo:]]", r"[[.a.]]", "[a", "(a", "a)"),
    *(r"((((a{255}){255}){255}){255})", r"(.{0,255}){255}", "a" * 1001),
]

TAKEN = [
    *(
        r"(?i)a",
        r"(?:a|b)*?",
        r"(?=a)b(?!c)",
        r"(?<!a)b",
        r"(a)\1",
        r"()",
        r"a||b",
        r"a{,5}",
        r"a{",
    ),
    *(r"[]a]", r"[^]a-]", r"[a-c[:digit:]_-]", r"[[a&&b~~c]", r"\mword\M", r"\y\d+\Z", r"[\w\s]+"),
    *(r"a{2,255}", r"(?#note)a", r"\u0041", "नम+"),
]


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_postgresql_does_not_know_is_a_bad_value(pattern: str) -> None:
    with pytest.raises(Misfit) as wrong:
        check_regex(pattern, "value")
    assert [(finding.code, finding.field) for finding in wrong.value.findings] == [
        ("bad_value", "value")
    ]


@pytest.mark.parametrize("pattern", TAKEN)
def test_a_pattern_postgresql_knows_is_taken(pattern: str) -> None:
    check_regex(pattern, "value")


def test_ignoring_case_joins_the_options_there_are() -> None:
    assert ignoring_case("a") == "(?i)a"
    assert ignoring_case("(?s)a") == "(?is)a"
