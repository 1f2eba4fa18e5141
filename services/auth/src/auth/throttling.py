"""How often sign-ups, logins and renewals are tried: counted by all replicas together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from auth.settings import Settings
from chassis.rates import Rates
from contracts.problem import ProblemError
from contracts.shares import FAILED_LOGINS, RENEWALS, SIGNUPS, WRONG_PASSWORDS


class Attempt:
    """A login that is being tried."""

    is_right: bool | None = None
    """Whether the password was right; None: it was not looked at."""


class Throttling:
    """Limits of settings, in auth's bucket; all raise ProblemError 429 with the time to wait.

    `address` is the client's as the gateway sees it. Who comes without one shares a limit with all of
    those.
    """

    def __init__(self, settings: Settings, rates: Rates) -> None:
        self._rates = rates
        self._signups = replace(SIGNUPS, limit=settings.signups_per_hour)
        self._failures = replace(FAILED_LOGINS, limit=settings.failed_logins_per_hour)
        self._renewals = replace(RENEWALS, limit=settings.renewals_per_hour)

    async def sign_up(self, address: str | None) -> None:
        """Count a sign-up that is about to be worked on."""
        await self._rates.take(self._signups, address)

    async def renewal(self, address: str | None) -> None:
        """Count a renewal, or an end, of a session."""
        await self._rates.take(self._renewals, address)

    @asynccontextmanager
    async def login(self, address: str | None, email: str) -> AsyncIterator[Attempt]:
        """Count a login as a failure, before the password is looked at, until it has succeeded.

        So parallel tries are counted each. The same for an e-mail address that no user has: the answer
        tells nothing of that.
        """
        account = (address, email)
        await self._rates.attempt(WRONG_PASSWORDS, account)
        try:
            await self._rates.take(self._failures, address)
        except ProblemError:
            await self._rates.retract(WRONG_PASSWORDS, account)
            raise
        attempt = Attempt()
        try:
            yield attempt
        finally:
            # What was refused for want of a slot, or failed, says nothing of the password.
            if attempt.is_right is not False:
                undo = self._rates.succeed if attempt.is_right else self._rates.retract
                await asyncio.gather(
                    undo(WRONG_PASSWORDS, account),
                    self._rates.give_back(self._failures, address),
                )
