"""The address of a client: that of the connection, or the one that trusted proxies forward (RFC 9700 §4.13)."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.http import HttpRequest

from .conf import introspection_settings

_SOCKET = "unix:"
"""How nginx names a client that connects over a Unix socket; gunicorn and uvicorn name none."""
_FORWARDING = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED"})
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")


def client_address(request: HttpRequest) -> str:
    """Return the address of the client, as the last proxy that is trusted saw it.

    That is REMOTE_ADDR, unless it is in TRUSTED_PROXIES: then the right-most entry of X-Forwarded-For that is not.
    A client may have made up everything left of that one. A Unix socket has no address: without a proxy that
    is trusted behind it, the result is empty.
    """
    proxies, remote = introspection_settings.TRUSTED_PROXIES, str(request.META.get("REMOTE_ADDR") or _SOCKET)
    address = _parse(remote)
    if address is None and remote != _SOCKET:
        return remote
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not proxies.trust(address):
            break
        seen = _parse(hop)
        if seen is None and hop.strip() != _SOCKET:  # the proxy that wrote this is the last one known
            break
        address = seen
    return "" if address is None else str(address)


def sender_address(request: HttpRequest) -> str | None:
    """Return the address from which a request was sent, None if it is not certain.

    It is that of `client_address`, with two exceptions, because the use of a token may depend on it. A proxy in
    TRUSTED_PROXIES that names no client is not the sender. Nor is a program outside of TRUSTED_PROXIES that says it
    forwards for others (X-Forwarded-For, Forwarded): it may be a proxy that the setting does not name.
    """
    address = _parse(client_address(request))
    if address is None or introspection_settings.TRUSTED_PROXIES.trust(address):
        return None
    return None if _FORWARDING & request.META.keys() and not is_from_proxy(request) else str(address)


def is_from_proxy(request: HttpRequest) -> bool:
    """Return whether a request comes from a proxy in TRUSTED_PROXIES, whose headers about the client count."""
    remote = str(request.META.get("REMOTE_ADDR") or _SOCKET)
    address = _parse(remote)
    return (address is not None or remote == _SOCKET) and introspection_settings.TRUSTED_PROXIES.trust(address)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address with or without brackets, port and zone; an IPv4 address inside IPv6 is IPv4."""
    text = text.strip().partition("%")[0]
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
