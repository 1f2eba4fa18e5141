"""What auth owns: users, organisations, sessions, keys."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from contracts.message import Anonymous, Done, Event, Part, Request, Secret
from contracts.readiness import Readiness
from contracts.shares import SESSIONS, Slots

Role = Literal["viewer", "runner", "editor", "admin", "owner"]

ACCESS_ISSUER = "dalgo"
ACCESS_AUDIENCE = "dalgo-api"
ACCESS_CLAIMS = ("iss", "aud", "sub", "org", "role", "sid", "exp", "nbf", "iat", "jti", "typ")
"""What an access token says, all of it required; `typ` is "access", times are Unix seconds."""


class User(Part):
    """A person; one may belong to several organisations."""

    id: UUID
    email: str
    name: str | None


class Organization(Part):
    """A tenant; `timezone` is an IANA name in which its schedules and `TODAY` are read."""

    id: UUID
    name: str
    timezone: str


class SessionGrant(Part):
    """A session that was opened or renewed. The refresh token travels only in a cookie."""

    access_token: Secret
    refresh_token: Secret
    expires_in: int
    """Seconds until the access token expires."""
    refresh_expires_at: datetime
    user: User
    organization: Organization
    role: Role


class SignUp(Anonymous[SessionGrant]):
    """Create a user, an organisation they own, and a session."""

    email: str
    password: Secret
    name: str | None = None
    organization_name: str


class LogIn(Anonymous[SessionGrant]):
    """Open a session in the given organisation, or in the user's first one."""

    email: str
    password: Secret
    organization_id: UUID | None = None


class RefreshSession(Anonymous[SessionGrant]):
    """Rotate a refresh token; a replayed one revokes its family."""

    share: ClassVar[Slots] = SESSIONS
    refresh_token: Secret


class LogOut(Anonymous[Done]):
    """Revoke the family of a refresh token; unknown tokens are fine."""

    share: ClassVar[Slots] = SESSIONS
    refresh_token: Secret


class Membership(Part):
    """A user's place in one organisation."""

    organization: Organization
    role: Role


class Me(Part):
    """Who is signed in, where, and where else they could be."""

    user: User
    organization: Organization
    role: Role
    organizations: tuple[Membership, ...]


class GetMe(Request[Me]):
    """The signed-in user, in the organisation of the envelope."""

    user_id: UUID


class GetOrganization(Request[Organization]):
    """The organisation of the envelope."""


class JsonWebKey(Part):
    """A public Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str


class JsonWebKeySet(Part):
    """The keys that verify access tokens: the active one and those that still live."""

    keys: tuple[JsonWebKey, ...]


class GetSigningKeys(Request[JsonWebKeySet]):
    """The public keys, for whoever verifies tokens."""


class OrganizationCreated(Event):
    """A tenant came into being; transform provisions its schemas."""

    organization_id: UUID
    name: str


class GetReadiness(Request[Readiness]):
    """Whether this service is ready: what its own `/readyz` answers."""
