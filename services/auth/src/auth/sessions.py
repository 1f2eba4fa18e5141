"""Sessions: families of refresh tokens, each changed under the lock of its own row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from auth.domain import RefreshToken, Verdict, judge
from auth.tokens import NewRefreshToken
from chassis.database import Connection, Database, queries

_SQL = queries("auth")


@dataclass(frozen=True)
class HeldToken:
    """The active token of a family, as it is kept."""

    sealed: str
    expires_at: datetime


@dataclass(frozen=True)
class Renewal:
    """What became of a presented refresh token, and whose it was."""

    verdict: Verdict
    session_id: UUID
    user_id: UUID
    organization_id: UUID
    held: HeldToken | None
    """What the holder goes on with; None when the session is over."""


class Sessions:
    """The sessions of all users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, session_id: UUID, user_id: UUID, organization_id: UUID, token: NewRefreshToken
    ) -> None:
        """Begin a family with its first token; the user's expired ones are swept."""
        async with self._database.transaction() as connection:
            await _SQL.drop_expired_sessions(connection, user_id=user_id)
            await add_session(connection, session_id, user_id, organization_id, token)

    async def renew(
        self, presented: bytes, successor: Callable[[UUID], NewRefreshToken]
    ) -> Renewal | None:
        """Judge a presented token under the lock of its family, and commit what follows.

        None for a token nobody knows. A replay is answered only after the family's revocation has
        been committed; `successor` makes the next token of the session it is given.
        """
        async with self._database.transaction() as connection:
            session = await _SQL.lock_session(connection, hash=presented)
            if session is None:
                return None
            session_id = session["id"]
            known = await _SQL.find_refresh_token(connection, hash=presented)
            active = await _SQL.find_active_token(connection, session_id=session_id)
            verdict = judge(
                _token(known),
                _token(active) if active else None,
                is_revoked=session["is_revoked"],
            )
            held = None
            if verdict is Verdict.REPLAY:
                await _SQL.revoke_session(connection, session_id=session_id, because="replay")
            elif verdict is Verdict.REPEAT:
                held = HeldToken(active["sealed"], active["expires_at"])
            elif verdict is Verdict.ROTATE:
                token = successor(session_id)
                await _SQL.retire_refresh_token(connection, hash=presented)
                await _add_token(connection, session_id, token, parent=presented)
                await _SQL.extend_session(
                    connection, session_id=session_id, expires_at=token.expires_at
                )
                held = HeldToken(token.sealed, token.expires_at)
            return Renewal(
                verdict, session_id, session["user_id"], session["organization_id"], held
            )

    async def close(self, presented: bytes) -> None:
        """Revoke the family of a token; one nobody knows is fine."""
        async with self._database.transaction() as connection:
            session = await _SQL.lock_session(connection, hash=presented)
            if session is not None:
                await _SQL.revoke_session(connection, session_id=session["id"], because="logout")


async def add_session(
    connection: Connection,
    session_id: UUID,
    user_id: UUID,
    organization_id: UUID,
    token: NewRefreshToken,
) -> None:
    """Begin a family with its first token, in the caller's transaction."""
    await _SQL.add_session(
        connection,
        id=session_id,
        user_id=user_id,
        organization_id=organization_id,
        expires_at=token.expires_at,
    )
    await _add_token(connection, session_id, token, parent=None)


async def _add_token(
    connection: Connection, session_id: UUID, token: NewRefreshToken, *, parent: bytes | None
) -> None:
    await _SQL.add_refresh_token(
        connection,
        hash=token.hash,
        session_id=session_id,
        parent=parent,
        sealed=token.sealed,
        expires_at=token.expires_at,
    )


def _token(row: Mapping[str, Any]) -> RefreshToken:
    return RefreshToken(
        hash=row["hash"],
        parent=row["parent"],
        is_expired=row["is_expired"],
    )
