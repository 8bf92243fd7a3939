"""Issuer and resource identifiers, and the URLs that are made from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import inet_aton
from urllib.parse import SplitResult, urlsplit

MAX_RESOURCE = 2000
"""The most characters of a resource identifier: it is part of every answer about its tokens."""
MAX_CLIENT_ID = 255
"""Characters of a client identifier."""
PLAIN_HTTP = "must be an https URL; plain http is only for loopback addresses"
"""A rule of `endpoint_problem` that the option `insecure_http` lifts, where there is one."""
CHARACTERS = "must not contain spaces, control characters or characters outside of ASCII"
_DEFAULT_PORTS = {"https": 443, "http": 80}
_NAT64 = IPv6Network("64:ff9b::/96")


def is_client_id(value: str) -> bool:
    """Return whether a value can be a client identifier: visible ASCII characters and spaces (RFC 6749 §A.1).

    Some databases cannot store, or compare, anything else.
    """
    return 0 < len(value) <= MAX_CLIENT_ID and value.isascii() and value.isprintable()


def issuer_problem(issuer: str, *, insecure_http: bool = False) -> str | None:
    """Return the rule that an issuer identifier breaks, None if it is valid (RFC 8414 §2)."""
    if "?" in issuer or "#" in issuer:
        return "must not have a query or a fragment"
    return endpoint_problem(issuer, insecure_http=insecure_http)


def endpoint_problem(url: str, *, insecure_http: bool = False) -> str | None:
    """Return the rule that a URL for tokens or secrets breaks, None if they may be sent there (RFC 7662 §4)."""
    if not _has_uri_characters(url):
        return CHARACTERS
    parts = split_uri(url)
    if parts is None or not parts.hostname or parts.scheme not in ("https", "http"):
        return "must be an https URL"
    if "@" in parts.netloc:
        return "must not contain credentials"
    if parts.scheme == "http" and not insecure_http and not is_loopback(parts.hostname):
        return PLAIN_HTTP
    return None


def resource_problem(resource: str) -> str | None:
    """Return the rule that a resource identifier breaks, None if it is valid (RFC 8707 §2)."""
    if len(resource) > MAX_RESOURCE:
        return f"must have at most {MAX_RESOURCE} characters"
    if not _has_uri_characters(resource):
        return CHARACTERS
    parts = split_uri(resource)
    if parts is None or not parts.scheme or not (parts.netloc or parts.path):
        return "must be an absolute URI"
    if "#" in resource:
        return "must not have a fragment"
    return None


@lru_cache(maxsize=1024)
def normal_resource(identifier: str) -> str:
    """Return the one spelling of a resource identifier (RFC 3986 §6.2.2.1, §6.2.3).

    If it is an https or http URL, its scheme and host are in lower case, and a default port and the root path `/` are
    left out. Any other identifier, and any other path, stays as it is.
    """
    parts = split_uri(identifier)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return identifier
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    rest = identifier.partition("//")[2][len(parts.netloc) :]
    return f"{parts.scheme}://{host}{port}{'' if rest == '/' else rest}"


def names_any_of(resources: Collection[str], audiences: Iterable[str]) -> bool:
    """Return whether an audience names one of the resources; two spellings of one identifier are equal."""
    audiences = tuple(audiences)
    if any(audience in resources for audience in audiences):
        return True
    return not {normal_resource(each) for each in resources}.isdisjoint(map(normal_resource, audiences))


def is_loopback(host: str) -> bool:
    """Return whether a host name or address always means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def leads_here(host: str) -> bool:
    """Return whether a host can mean this machine in any spelling that resolvers take, as `127.1` and `localhost.`."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        address = ip_address(name)
    except ValueError:
        try:
            address = IPv4Address(inet_aton(name))
        except OSError:
            return False
    return any(each.is_loopback or each.is_unspecified for each in _meant(address))


def is_public(address: str) -> bool:
    """Return whether an IP address is public, also when it is embedded in an IPv6 address (RFC 6890)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in _meant(parsed))


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return every address that a packet may reach: an IPv6 address can contain an IPv4 address."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    carried = [IPv4Address(address.packed[-4:])] if address in _NAT64 else []
    return [address, *carried, *filter(None, (address.sixtofour, *(address.teredo or ())))]


def on_host_of(issuer: str, path: str) -> str:
    """Return a path as a URL on the issuer's host; the Host header of a request is never used."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_origin(value: str) -> bool:
    """Return whether a value is an https URL of a host alone, without path (plain http for loopback addresses)."""
    return issuer_problem(value) is None and value == on_host_of(value, "")


def path_of(issuer: str) -> str:
    """Return the path of an issuer without slashes around it (RFC 8414 §3.1)."""
    return urlsplit(issuer).path.strip("/")


def split_uri(url: str) -> SplitResult | None:
    """Return the parts of a URI, None if it is malformed (RFC 3986 §2): `urlsplit` accepts line ends and spaces."""
    if not _has_uri_characters(url):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        return None
    return parts


def _has_uri_characters(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
