"""Network addresses of clients, as limits count them."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

_UNKNOWN = "unknown"
_PREFIX = 64
"""Bits of an IPv6 address that a provider gives one customer at least (RFC 6177)."""


def address_of(scope: Scope) -> str:
    """The client's address, of IPv6 its /64: one machine has all of that.

    Behind proxies that are trusted (TRUSTED_PROXIES) it is the one that they forward.
    """
    client = scope.get("client")
    try:
        address = ip_address(client[0].partition("%")[0] if client else "")
    except ValueError:
        return _UNKNOWN
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((address, _PREFIX), strict=False))
    return str(address)
