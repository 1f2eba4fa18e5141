"""The rules of accounts and refresh tokens, without any server."""

import pytest

from auth.domain import RefreshToken, Verdict, check_account, judge, normal_email
from auth.passwords import common_passwords
from contracts.problem import ProblemError

COMMON = common_passwords()


def codes(password: str, *, email: str = "asha@wells.org", organization: str = "Wells of Hope"):
    """What is wrong with an account of this password, as {field: code}."""
    try:
        check_account(email, password, None, organization, COMMON)
    except ProblemError as error:
        return {entry.field: entry.code for entry in error.problem.errors}
    return {}


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "too_short"),
        ("x1!" * 43, "too_long"),
        ("Password123456", "too_common"),
        ("CORRECT HORSE BATTERY STAPLE", "too_common"),
        ("asha@wells.org", "guessable"),
        ("Wells-of-Hope", "guessable"),
        ("abababababababab", "guessable"),
    ],
)
def test_a_password_that_others_would_guess_is_refused(password, code):
    assert codes(password) == {"password": code}


@pytest.mark.parametrize(
    "password", ["all lower case words", "१२३४५६७८९०अआइई", "x1!y" * 32, "quiet-river-43-stones"]
)
def test_no_rule_of_composition_stands_in_the_way(password):
    assert codes(password) == {}


@pytest.mark.parametrize(
    "email",
    ["", "asha", "asha@wells", "a b@wells.org", "a@b@wells.org", "a@wells.", "a" * 250 + "@b.org"],
)
def test_what_is_no_address_is_refused(email):
    assert codes("a long and quiet sentence", email=email) == {"email": "invalid"}


def test_addresses_are_one_in_every_spelling():
    assert normal_email(" Asha@WELLS.org\n") == normal_email("\uff41sha@wells.org")


def test_an_account_is_trimmed_and_an_empty_name_is_none():
    account = check_account("A@b.org ", "a long and quiet sentence", "  ", " Wells ", COMMON)
    assert (account.email, account.name, account.organization_name) == ("a@b.org", None, "Wells")


def token(name: str, parent: str | None = None, *, is_expired: bool = False) -> RefreshToken:
    return RefreshToken(name.encode(), parent.encode() if parent else None, is_expired)


ACTIVE = token("third", "second")


@pytest.mark.parametrize(
    ("presented", "active", "is_revoked", "verdict"),
    [
        (ACTIVE, ACTIVE, False, Verdict.ROTATE),
        (token("second", "first"), ACTIVE, False, Verdict.REPEAT),
        (token("first"), ACTIVE, False, Verdict.REPLAY),
        (token("first"), ACTIVE, True, Verdict.EXPIRED),
        (ACTIVE, ACTIVE, True, Verdict.EXPIRED),
        (token("first"), None, False, Verdict.EXPIRED),
        (token("only", is_expired=True), token("only", is_expired=True), False, Verdict.EXPIRED),
    ],
)
def test_a_presented_token_is_judged_by_its_place_in_the_family(
    presented, active, is_revoked, verdict
):
    assert judge(presented, active, is_revoked=is_revoked) is verdict


def test_every_blocked_password_would_pass_the_length_rule():
    assert len(COMMON) > 500
    assert all(12 <= len(entry) <= 128 for entry in COMMON)
