"""Networks of clients, as limits count them: one machine may have many addresses."""

from ipaddress import IPv6Address, IPv6Network, ip_address

_PREFIX = 64
"""Bits of an IPv6 address that a provider gives one customer at least (RFC 6177)."""


def network_of(address: str) -> str | None:
    """The address, of IPv6 its /64; None for what is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(IPv6Network((found, _PREFIX), strict=False))
    return str(found)
