"""Accounts, organisations and signing keys, as they are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from auth.domain import Account
from auth.keys import SealedKey
from auth.sessions import add_session
from auth.tokens import NewRefreshToken
from chassis.database import Database, queries
from chassis.outbox import Outbox, Outgoing
from contracts.auth import Membership, Organization, OrganizationCreated, Role, User
from contracts.problem import problem

_SQL = queries("auth")


@dataclass(frozen=True)
class Login:
    """An account as it is looked up by e-mail."""

    user: User
    password_hash: str


@dataclass(frozen=True)
class Member:
    """A user in one organisation."""

    user: User
    organization: Organization
    role: Role


class Store:
    """Users, organisations, memberships and keys."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def sign_up(
        self,
        account: Account,
        password_hash: str,
        user: User,
        organization: Organization,
        session_id: UUID,
        token: NewRefreshToken,
    ) -> None:
        """Keep a user, their organisation, its event and a session, all or nothing.

        Raises ProblemError 409 when the e-mail address has an account.
        """
        try:
            async with self._database.transaction() as connection:
                await _SQL.add_user(
                    connection,
                    id=user.id,
                    email=account.email,
                    name=account.name,
                    password_hash=password_hash,
                )
                await _SQL.add_organization(connection, id=organization.id, name=organization.name)
                await _SQL.add_member(
                    connection, user_id=user.id, organization_id=organization.id, role="owner"
                )
                await add_session(connection, session_id, user.id, organization.id, token)
                created = OrganizationCreated(
                    organization_id=organization.id, name=organization.name
                )
                await self._outbox.put(
                    connection, [Outgoing(created, organization.id, str(user.id))]
                )
        except asyncpg.UniqueViolationError as error:
            raise problem(
                409,
                "email_taken",
                f"There is an account for {account.email} already. Log in with it, or sign up "
                "with another e-mail address.",
            ) from error
        self._outbox.wake()

    async def find_login(self, email: str) -> Login | None:
        """The account of a normalised e-mail address."""
        async with self._database.transaction() as connection:
            row = await _SQL.find_account(connection, email=email)
        if row is None:
            return None
        return Login(User(id=row["id"], email=row["email"], name=row["name"]), row["password_hash"])

    async def rehash(self, user_id: UUID, *, old: str, new: str) -> None:
        """Replace a hash of the same password, unless the password was changed meanwhile."""
        async with self._database.transaction() as connection:
            await _SQL.set_password_hash(connection, user_id=user_id, old=old, new=new)

    async def find_member(self, user_id: UUID, organization_id: UUID) -> Member | None:
        """A user in an organisation; None when they do not belong to it."""
        async with self._database.transaction() as connection:
            row = await _SQL.find_member(
                connection, user_id=user_id, organization_id=organization_id
            )
        if row is None:
            return None
        return Member(
            User(id=row["user_id"], email=row["email"], name=row["name"]),
            Organization(id=row["id"], name=row["organization_name"], timezone=row["timezone"]),
            row["role"],
        )

    async def find_organization(self, organization_id: UUID) -> Organization | None:
        """An organisation by id."""
        async with self._database.transaction() as connection:
            row = await _SQL.find_organization(connection, organization_id=organization_id)
        return Organization(**row) if row else None

    async def list_memberships(self, user_id: UUID) -> tuple[Membership, ...]:
        """Where a user belongs, the oldest membership first."""
        async with self._database.transaction() as connection:
            rows = [row async for row in _SQL.list_memberships(connection, user_id=user_id)]
        return tuple(
            Membership(
                organization=Organization(id=row["id"], name=row["name"], timezone=row["timezone"]),
                role=row["role"],
            )
            for row in rows
        )

    async def ensure_signing_key(self, make: Callable[[], SealedKey]) -> tuple[str, str, bool]:
        """(kid, sealed private key, whether it was made now); replicas starting at once make one."""
        async with self._database.transaction() as connection:
            await _SQL.lock_signing_keys(connection)
            row = await _SQL.find_signing_key(connection)
            if row is not None:
                return row["kid"], row["private"], False
            key = make()
            await _SQL.add_signing_key(
                connection, kid=key.kid, private=key.private, public=key.public
            )
            return key.kid, key.private, True

    async def find_signing_key(self) -> tuple[str, str]:
        """(kid, sealed private key) of the key that signs now."""
        async with self._database.transaction() as connection:
            row = await _SQL.find_signing_key(connection)
        return row["kid"], row["private"]

    async def list_verifying_keys(self, token_life: timedelta) -> list[tuple[str, bytes]]:
        """(kid, public key) of every key with which a living token may have been signed."""
        async with self._database.transaction() as connection:
            rows = [
                row async for row in _SQL.list_verifying_keys(connection, token_life=token_life)
            ]
        return [(row["kid"], row["public"]) for row in rows]
