"""Hashing: alike for users and strangers, never more at once than allowed."""

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters

from auth.passwords import Passwords

_VERIFY = PasswordHasher.verify


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(threads=2)


async def test_a_hash_matches_its_password_and_no_other(passwords):
    known = await passwords.hash("a long and quiet sentence")
    assert known.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.matches(known, "a long and quiet sentence")
    assert not await passwords.matches(known, "a long and quiet sentencE")
    assert not passwords.is_outdated(known)


async def test_a_stranger_costs_as_much_work_as_a_wrong_password(passwords, monkeypatch):
    known = await passwords.hash("a long and quiet sentence")
    costs = []

    def verify(hasher: PasswordHasher, hash: str, password: str) -> bool:
        costs.append(extract_parameters(hash))
        return _VERIFY(hasher, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    assert not await passwords.matches(known, "another sentence, wrong")
    assert not await passwords.matches(None, "another sentence, wrong")
    wrong, stranger = costs
    assert wrong == stranger


async def test_nobody_logs_in_with_the_password_of_nobody(passwords):
    assert not await passwords.matches(None, "no password is this one, only its cost matters")


async def test_a_broken_hash_is_a_wrong_password(passwords):
    assert not await passwords.matches("not a hash", "a long and quiet sentence")


async def test_the_loop_stays_awake_while_passwords_are_hashed(passwords):
    hashing = asyncio.gather(*(passwords.hash("a long and quiet sentence") for _ in range(6)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    await hashing
    assert turns > 50
