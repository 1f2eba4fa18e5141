"""The rules of identities, pure: what an account may be, and what a presented token means."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from contracts.problem import FieldProblem, problem

MIN_PASSWORD = 12
MAX_PASSWORD = 128
MAX_NAME = 200
MAX_EMAIL = 254
"""Longest address that SMTP can carry (RFC 5321, section 4.5.3.1.3, less the brackets)."""

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_NOT_A_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Account:
    """What somebody who signs up has said, checked and normalised."""

    email: str
    password: str
    name: str | None
    organization_name: str


def normal_email(email: str) -> str:
    """The form in which an address is stored and looked up: trimmed, NFKC, case-folded."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def normal_password(password: str) -> str:
    """The form that is hashed: NFKC, so that one keyboard's ü is another's (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)


def check_account(
    email: str,
    password: str,
    name: str | None,
    organization_name: str,
    common_passwords: Collection[str],
) -> Account:
    """The account as it will be kept; raises ProblemError 422 with every field that does not fit."""
    account = Account(
        email=normal_email(email),
        password=normal_password(password),
        name=(name or "").strip() or None,
        organization_name=organization_name.strip(),
    )
    wrong: list[FieldProblem] = []
    if len(account.email) > MAX_EMAIL or not _EMAIL.fullmatch(account.email):
        wrong.append(_field("email", "invalid", "This is not an e-mail address."))
    if len(account.name or "") > MAX_NAME:
        wrong.append(_field("name", "too_long", f"Use at most {MAX_NAME} characters."))
    if not account.organization_name:
        wrong.append(_field("organization_name", "missing", "Give your organisation a name."))
    elif len(account.organization_name) > MAX_NAME:
        wrong.append(_field("organization_name", "too_long", f"Use at most {MAX_NAME} characters."))
    wrong.extend(_password_problems(account, common_passwords))
    if wrong:
        detail = " ".join(f"{entry.field}: {entry.message}" for entry in wrong)
        raise problem(422, "invalid_account", detail, tuple(wrong))
    return account


def _password_problems(account: Account, common: Collection[str]) -> list[FieldProblem]:
    """Length and guessability only: rules of composition make passwords weaker, not stronger."""
    password = account.password
    if len(password) < MIN_PASSWORD:
        return [_field("password", "too_short", f"Use at least {MIN_PASSWORD} characters.")]
    if len(password) > MAX_PASSWORD:
        return [_field("password", "too_long", f"Use at most {MAX_PASSWORD} characters.")]
    if password.casefold() in common:
        return [_field("password", "too_common", "Many people use this password. Choose another.")]
    known = {account.email, account.email.partition("@")[0], account.organization_name}
    if _bare(password) in {_bare(word) for word in known} or len(set(password)) < 4:
        return [
            _field(
                "password",
                "guessable",
                "This is your e-mail address, your organisation's name or a few characters "
                "repeated. Choose something that others cannot guess.",
            )
        ]
    return []


def _bare(text: str) -> str:
    return _NOT_A_WORD.sub("", text.casefold())


def _field(field: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(field=field, code=code, message=message)


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token as it is kept."""

    hash: bytes
    parent: bytes | None
    is_expired: bool


class Verdict(Enum):
    """What a presented refresh token means for its family."""

    ROTATE = auto()
    """The active one: exchange it."""
    REPEAT = auto()
    """The active one's parent: its holder never got the answer, say it again."""
    EXPIRED = auto()
    """Nothing wrong but the time, or the family has ended already."""
    REPLAY = auto()
    """Used before: two people hold the family's tokens, so nobody may any more."""


def judge(presented: RefreshToken, active: RefreshToken | None, *, is_revoked: bool) -> Verdict:
    """Judge a token of a family; `active` is the family's newest.

    Source: RFC 9700, section 4.14.2 (refresh token rotation), with the grace that a client whose
    answer was lost may ask again as long as nobody has used what it should have received.
    """
    if is_revoked or active is None or active.is_expired:
        return Verdict.EXPIRED
    if presented.hash == active.hash:
        return Verdict.ROTATE
    if presented.hash == active.parent:
        return Verdict.REPEAT
    return Verdict.REPLAY
