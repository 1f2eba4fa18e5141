"""Network addresses of clients, as limits count them."""

from starlette.types import Scope

from chassis.networks import network_of

_UNKNOWN = "unknown"


def address_of(scope: Scope) -> str:
    """The client's address, of IPv6 its /64: one machine has all of that.

    Behind proxies that are trusted (TRUSTED_PROXIES) it is the one that they forward.
    """
    client = scope.get("client")
    return network_of(client[0] if client else "") or _UNKNOWN
