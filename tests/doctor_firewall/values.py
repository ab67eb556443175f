"""What generated rules name: ports, clients, networks, ranges, close to what is asked about."""

from __future__ import annotations

from random import Random

from tests.doctor_firewall.wire import CLIENT

PORTS = (22, 80, 443, 2222, 8022, 9)
V4 = [one for both in CLIENT.values() for one in both if "." in one]
V6 = [one for both in CLIENT.values() for one in both if ":" in one]
NET4 = ("192.0.2.0/25", "192.0.2.128/25", "192.0.2.0/24", "198.51.100.0/24", "198.51.100.64/26", "0.0.0.0/1")
NET6 = ("2001:db8:1::/64", "2001:db8:1::/80", "2001:db8:2::/64", "2001:db8::/32", "2001:db8:1:0:8000::/65")
RANGE4 = ("192.0.2.1-192.0.2.10", "192.0.2.11-192.0.2.200", "198.51.100.1-198.51.100.70")
RANGE6 = ("2001:db8:1::-2001:db8:1::10", "2001:db8:1::11-2001:db8:1:1::")


def many(rng: Random, choices: tuple[str, ...] | list[str], most: int = 3) -> list[str]:
    """Some different ones of them."""
    return rng.sample(list(choices), rng.randint(1, min(most, len(choices))))
