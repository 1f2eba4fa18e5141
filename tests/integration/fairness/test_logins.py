"""Logins from one address beside a flood of logins from another, at the real auth."""

from itertools import cycle

from pydantic import SecretStr

from chassis.bus import Bus
from contracts.auth import LogIn, RefreshSession, SessionGrant, SignUp
from contracts.envelope import new_id
from contracts.problem import ProblemError

from ...conftest import StartService
from .measure import Flood, assert_undisturbed

PASSWORD = SecretStr("a long and quiet sentence")


async def test_a_flood_of_anonymous_logins_leaves_hashes_to_others(
    start_service: StartService, bus: Bus
) -> None:
    await start_service("auth", FAILED_LOGINS_PER_HOUR="1000000")
    flooding, home = new_id().hex, new_id().hex
    email = f"{new_id().hex}@example.org"
    await bus.ask(
        SignUp(email=email, password=PASSWORD, organization_name="Wells", address=home), org_id=None
    )

    async def guess() -> SessionGrant:
        tried = f"{new_id().hex}@example.org"
        return await bus.ask(
            LogIn(email=tried, password=PASSWORD, address=flooding), org_id=None, timeout=20
        )

    async def log_in() -> SessionGrant:
        return await bus.ask(
            LogIn(email=email, password=PASSWORD, address=home), org_id=None, timeout=20
        )

    # Refusals come back at once: without a pause the test would measure its own event loop.
    flood = Flood(guess, width=150, pause=0.3)
    await assert_undisturbed(log_in, flood)
    refused = [error for error in flood.outcomes if isinstance(error, ProblemError)]
    shed = [error.problem for error in refused if error.problem.status == 429]
    assert {error.code for error in shed} == {"share_used_up"}
    assert all(error.retry_after for error in shed)
    assert {error.problem.status for error in refused} <= {401, 429, 503, 504}


async def test_logins_from_everywhere_leave_renewals_to_those_who_are_signed_in(
    start_service: StartService, bus: Bus
) -> None:
    await start_service("auth", FAILED_LOGINS_PER_HOUR="1000000")
    email = f"{new_id().hex}@example.org"
    grant = await bus.ask(
        SignUp(email=email, password=PASSWORD, organization_name="Wells", address="home"),
        org_id=None,
    )
    addresses = cycle(f"198.51.100.{number}" for number in range(200))

    async def guess() -> SessionGrant:
        tried = f"{new_id().hex}@example.org"
        asked = LogIn(email=tried, password=PASSWORD, address=next(addresses))
        return await bus.ask(asked, org_id=None, timeout=20)

    async def renew() -> None:
        nonlocal grant
        # From an address that logs in too.
        asked = RefreshSession(refresh_token=grant.refresh_token, address="198.51.100.1")
        grant = await bus.ask(asked, org_id=None, timeout=20)

    flood = Flood(guess, width=150, pause=0.3)
    await assert_undisturbed(renew, flood)
    refused = [error.problem for error in flood.outcomes if isinstance(error, ProblemError)]
    assert {error.code for error in refused} <= {
        "wrong_credentials",
        "share_used_up",
        "all_places_taken",
        "no_answer",
    }
    assert refused, "the flood kept auth at work"
