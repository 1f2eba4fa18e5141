"""Passwords: argon2id in threads, a few at a time, in turn for network addresses."""

import asyncio
from collections.abc import Hashable
from dataclasses import replace
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.shares import Shares
from contracts.shares import PASSWORD_HASHES


class Passwords:
    """Hashes and verifies, `threads` at once; an address has half of them, and a few that wait.

    Raises ProblemError 429 past that: a queue without end would make everybody wait.
    """

    def __init__(self, threads: int, shares: Shares | None = None) -> None:
        """`shares`: of the process, which refuses what waits when it stops."""
        # OWASP Password Storage Cheat Sheet, argon2id: t=2, 19 MiB, p=1.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        each = max(1, threads // 2)
        slots = replace(PASSWORD_HASHES, total=threads, each=each)
        self._share = (shares or Shares()).of(slots)
        self._nobody = self._hasher.hash("no password is this one, only its cost matters")

    async def hash(self, password: str, address: Hashable | None = None) -> str:
        """A PHC string with its own salt and parameters."""
        async with self._share.slot(address):
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(
        self, known: str | None, password: str, address: Hashable | None = None
    ) -> bool:
        """Whether the password is the one hashed; without a hash it takes as long to say no."""
        async with self._share.slot(address):
            return await asyncio.to_thread(self._verify, known or self._nobody, password) and (
                known is not None
            )

    def is_outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(known)

    def _verify(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False


def common_passwords() -> frozenset[str]:
    """The blocklist, case-folded; only entries long enough to pass the length rule are of use."""
    text = (files("auth") / "data" / "common_passwords.txt").read_text()
    return frozenset(
        line.strip().casefold() for line in text.splitlines() if line and not line.startswith("#")
    )
