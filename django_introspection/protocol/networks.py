"""The networks from which an access token may be sent: its member `allowed_networks`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

MEMBER = "allowed_networks"
MAX_NETWORKS = 50
"""The most networks of one token."""

Network = IPv4Network | IPv6Network


def may_send_from(members: Mapping[str, Any], address: str | None) -> bool:
    """Return whether a token with these members may be sent from an address.

    A token without the member may be sent from everywhere. If it has the member, the address must be in one of the
    networks. An address that is unknown (None, or not an IP address) is in no network, and a malformed member allows
    none.
    """
    if MEMBER not in members:
        return True
    networks = read_networks(members[MEMBER])
    if networks is None or address is None:
        return False
    try:
        sender = ip_address(address)
    except ValueError:
        return False
    return any(sender in network for network in networks)


def read_networks(value: Any) -> tuple[Network, ...] | None:
    """Return the networks in a member; None unless it is a list of 1 to 50 addresses and networks in CIDR notation."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        return None
    return _parsed(tuple(value)) if 0 < len(value) <= MAX_NETWORKS else None


@lru_cache(maxsize=1024)
def _parsed(texts: tuple[str, ...]) -> tuple[Network, ...] | None:
    """Return the networks of their texts; kept, because each request of a token has the same."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        return None
