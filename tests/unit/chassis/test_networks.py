"""What counts as one client: an address, of IPv6 the network that a customer has."""

import pytest

from chassis.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", None),
        ("", None),
    ],
)
def test_addresses_of_one_customer_are_one(address: str, network: str | None) -> None:
    assert network_of(address) == network
