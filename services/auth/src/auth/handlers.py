"""What auth answers; each handler is named for its request."""

from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from auth.domain import Verdict, check_account, normal_email, normal_password
from auth.keys import SigningKey, open_key, public_key
from auth.passwords import Passwords, common_passwords
from auth.sessions import Sessions
from auth.settings import Settings
from auth.store import Member, Store
from auth.throttling import Throttling
from auth.tokens import Tokens, fingerprint
from chassis.crypto import Vault
from chassis.telemetry import log
from contracts.auth import (
    GetMe,
    GetOrganization,
    GetSigningKeys,
    JsonWebKeySet,
    LogIn,
    LogOut,
    Me,
    Organization,
    RefreshSession,
    SessionGrant,
    SignUp,
    User,
)
from contracts.envelope import Meta, new_id
from contracts.message import Done
from contracts.problem import ProblemError, not_found, problem


class Handlers:
    """Answers of one auth process."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        sessions: Sessions,
        passwords: Passwords,
        tokens: Tokens,
        vault: Vault,
        throttling: Throttling,
    ) -> None:
        self._is_open = settings.signup == "open"
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._tokens = tokens
        self._vault = vault
        self._throttling = throttling
        self._common = common_passwords()

    async def sign_up(self, request: SignUp, _: Meta) -> SessionGrant:
        """A user, the organisation they own, and a session; transform hears of it by its event."""
        if not self._is_open:
            raise problem(
                403,
                "signup_closed",
                "Signing up is closed here. Ask the people who run this installation.",
            )
        account = check_account(
            request.email,
            request.password.get_secret_value(),
            request.name,
            request.organization_name,
            self._common,
        )
        await self._throttling.sign_up(request.address)
        password_hash = await self._passwords.hash(account.password, request.address)
        user = User(id=new_id(), email=account.email, name=account.name)
        organization = Organization(id=new_id(), name=account.organization_name, timezone="UTC")
        session_id = new_id()
        token = self._tokens.refresh(session_id)
        await self._store.sign_up(account, password_hash, user, organization, session_id, token)
        log.info("user_signed_up", user_id=str(user.id), organization_id=str(organization.id))
        return await self._grant(
            Member(user, organization, "owner"), session_id, token.token, token.expires_at
        )

    async def log_in(self, request: LogIn, _: Meta) -> SessionGrant:
        """A session, if e-mail and password belong together; one answer to all that do not."""
        user = await self._verify(request)
        member = await self._choose(user, request.organization_id)
        session_id = new_id()
        token = self._tokens.refresh(session_id)
        await self._sessions.open(session_id, member.user.id, member.organization.id, token)
        return await self._grant(member, session_id, token.token, token.expires_at)

    async def _verify(self, request: LogIn) -> User:
        email = normal_email(request.email)
        password = normal_password(request.password.get_secret_value())
        async with self._throttling.login(request.address, email) as attempt:
            login = await self._store.find_login(email)
            known = login.password_hash if login else None
            matches = await self._passwords.matches(known, password, request.address)
            attempt.is_right = matches and login is not None
            if not matches or login is None:
                raise problem(
                    401, "wrong_credentials", "The e-mail address or the password is not right."
                )
        if self._passwords.is_outdated(login.password_hash):
            await self._store.rehash(
                login.user.id,
                old=login.password_hash,
                new=await self._passwords.hash(password, request.address),
            )
        return login.user

    async def refresh_session(self, request: RefreshSession, _: Meta) -> SessionGrant:
        """The next refresh token of the family, and an access token."""
        await self._throttling.renewal(request.address)
        presented = fingerprint(request.refresh_token.get_secret_value())
        renewal = await self._sessions.renew(presented, self._tokens.refresh)
        if renewal is None:
            raise _session_over()
        if renewal.verdict is Verdict.REPLAY:
            log.warning(
                "refresh_token_replayed",
                session_id=str(renewal.session_id),
                user_id=str(renewal.user_id),
            )
        if renewal.held is None:
            raise _session_over()
        try:
            token = self._tokens.unseal(renewal.held.sealed, renewal.session_id)
        except ValueError as error:
            # Its key has left ENCRYPTION_KEY: the token cannot be said again.
            raise _session_over() from error
        member = await self._store.find_member(renewal.user_id, renewal.organization_id)
        if member is None:
            raise _session_over()
        return await self._grant(member, renewal.session_id, token, renewal.held.expires_at)

    async def log_out(self, request: LogOut, _: Meta) -> Done:
        """End the family; a token nobody knows is as good as ended."""
        await self._throttling.renewal(request.address)
        await self._sessions.close(fingerprint(request.refresh_token.get_secret_value()))
        return Done()

    async def get_me(self, request: GetMe, meta: Meta) -> Me:
        """The user in the envelope's organisation, and their other organisations."""
        member = meta.org_id and await self._store.find_member(request.user_id, meta.org_id)
        if not member:
            raise not_found("user", request.user_id)
        return Me(
            user=member.user,
            organization=member.organization,
            role=member.role,
            organizations=await self._store.list_memberships(request.user_id),
        )

    async def get_organization(self, _: GetOrganization, meta: Meta) -> Organization:
        """The organisation of the envelope."""
        organization = meta.org_id and await self._store.find_organization(meta.org_id)
        if not organization:
            raise problem(404, "not_found", "There is no such organisation.")
        return organization

    async def get_signing_keys(self, _: GetSigningKeys, __: Meta) -> JsonWebKeySet:
        """The public keys of living tokens; none with a shared secret."""
        if self._tokens.uses_shared_secret:
            return JsonWebKeySet(keys=())
        keys = await self._store.list_verifying_keys(self._tokens.access_life)
        return JsonWebKeySet(keys=tuple(public_key(kid, public) for kid, public in keys))

    async def _choose(self, user: User, organization_id: UUID | None) -> Member:
        if organization_id is None:
            memberships = await self._store.list_memberships(user.id)
            if not memberships:
                raise problem(
                    403,
                    "no_organization",
                    "Your account belongs to no organisation any more. Ask to be invited again.",
                )
            return Member(user, memberships[0].organization, memberships[0].role)
        member = await self._store.find_member(user.id, organization_id)
        if member is None:
            raise problem(
                404, "not_found", f"You do not belong to an organisation {organization_id}."
            )
        return member

    async def _grant(
        self, member: Member, session_id: UUID, refresh_token: str, expires_at: datetime
    ) -> SessionGrant:
        key = None if self._tokens.uses_shared_secret else await self._signing_key()
        access = self._tokens.access(
            user_id=member.user.id,
            org_id=member.organization.id,
            role=member.role,
            session_id=session_id,
            key=key,
        )
        return SessionGrant(
            access_token=SecretStr(access),
            refresh_token=SecretStr(refresh_token),
            expires_in=int(self._tokens.access_life.total_seconds()),
            refresh_expires_at=expires_at,
            user=member.user,
            organization=member.organization,
            role=member.role,
        )

    async def _signing_key(self) -> SigningKey:
        # Read for each token, not kept: a rotated key signs from its first second, everywhere.
        kid, sealed = await self._store.find_signing_key()
        return open_key(self._vault, kid, sealed)


def _session_over() -> ProblemError:
    return problem(401, "session_over", "Your session has ended. Log in again.")
