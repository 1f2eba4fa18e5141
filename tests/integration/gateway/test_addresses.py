"""Which address a request is counted for: behind proxies that are trusted, and others."""

import httpx
import pytest

LIMIT = {"requests_per_minute_of_address": 2}


async def asked(gateway, forwarded: str) -> int:
    headers = {"X-Forwarded-For": forwarded}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as client:
        return (await client.get("/api/v1/auth/me")).status_code


async def test_what_no_trusted_proxy_forwards_is_ignored(start_gateway):
    gateway = await start_gateway(**LIMIT)
    statuses = [await asked(gateway, f"203.0.113.{number}") for number in range(3)]
    assert statuses == [401, 401, 429]


async def test_clients_behind_a_trusted_proxy_are_counted_each(start_gateway):
    gateway = await start_gateway(**LIMIT, trusted_proxies="127.0.0.0/8,10.0.0.1")
    statuses = [await asked(gateway, f"203.0.113.{number}") for number in range(3)]
    assert statuses == [401, 401, 401]
    # What a client says itself stands left of what its proxy has seen.
    spoofed = [await asked(gateway, f"198.51.100.{n}, 203.0.113.9, 10.0.0.1") for n in range(3)]
    assert spoofed == [401, 401, 429]


@pytest.mark.parametrize("prefix", ["2001:db8:1:2:", "2001:db8:1:3:"])
async def test_addresses_of_one_ipv6_network_are_counted_together(start_gateway, prefix):
    gateway = await start_gateway(**LIMIT, trusted_proxies="127.0.0.1")
    statuses = [await asked(gateway, f"{prefix}:{number}") for number in range(3)]
    assert statuses == [401, 401, 429]
    assert await asked(gateway, "2001:db8:ffff::1") == 401
