"""Signing up, in and out."""

from uuid import UUID

from contracts.auth import Me
from dalgo.call import Call, model, nothing, present
from dalgo.models import SignedIn
from dalgo.resource import D, Resource, endpoint


class Account(Resource[D]):
    """Who the client is."""

    @endpoint
    @staticmethod
    def signup(
        email: str, password: str, organization_name: str, name: str | None = None
    ) -> Call[SignedIn]:
        """Create a user and an organisation they own; the client is signed in as them."""
        body = {"email": email, "password": password, "organization_name": organization_name}
        return _session("/auth/signup", body | present(name=name))

    @endpoint
    @staticmethod
    def login(email: str, password: str, organization_id: UUID | None = None) -> Call[SignedIn]:
        """Open a session, in the given organisation or the user's first; the client keeps it."""
        chosen = str(organization_id) if organization_id else None
        body = {"email": email, "password": password}
        return _session("/auth/login", body | present(organization_id=chosen))

    @endpoint
    @staticmethod
    def me() -> Call[Me]:
        """The signed-in user, where they are, and where else they could be."""
        return Call("GET", "/auth/me", model(Me))

    @endpoint
    @staticmethod
    def revoke(cookie: dict[str, str]) -> Call[None]:
        """End the session whose refresh cookie, as a header, is given."""
        return Call("POST", "/auth/logout", nothing, headers=cookie)


def _session(path: str, body: dict[str, str]) -> Call[SignedIn]:
    return Call("POST", path, model(SignedIn), json=body, is_signed=False, opens_session=True)
