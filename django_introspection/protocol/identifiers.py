"""Issuer and resource identifiers, and the URLs that are made from them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

MAX_RESOURCE = 2000
"""Characters of a resource identifier: it stands in every answer about its tokens."""


def issuer_problem(issuer: str) -> str | None:
    """Say what is wrong with an issuer identifier, None where nothing is (RFC 8414 §2)."""
    if "?" in issuer or "#" in issuer:
        return "an issuer has no query and no fragment"
    return endpoint_problem(issuer)


def endpoint_problem(url: str, *, insecure_http: bool = False) -> str | None:
    """Say what is wrong with a URL that tokens or secrets are sent to, None where nothing is (RFC 7662 §4)."""
    parts = _split(url)
    if parts is None or not parts.hostname or parts.scheme not in ("https", "http"):
        return "it must be an absolute https URL"
    if "@" in parts.netloc:
        return "credentials do not belong in a URL"
    if parts.scheme == "http" and not insecure_http and not is_loopback(parts.hostname):
        return "plain http is only for loopback addresses"
    return None


def resource_problem(resource: str) -> str | None:
    """Say what is wrong with a resource identifier, None where nothing is (RFC 8707 §2)."""
    if len(resource) > MAX_RESOURCE:
        return f"a resource has {MAX_RESOURCE} characters at most"
    parts = _split(resource)
    if parts is None or not parts.scheme or not (parts.netloc or parts.path):
        return "a resource is an absolute URI"
    if "#" in resource:
        return "a resource has no fragment"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address never leaves this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def on_host_of(issuer: str, path: str) -> str:
    """Return a path as a URL on the issuer's host; the Host of a request is never asked."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}{path}"


def path_of(issuer: str) -> str:
    """Return the path of an issuer without slashes around it (RFC 8414 §3.1)."""
    return urlsplit(issuer).path.strip("/")


def _split(url: str) -> SplitResult | None:
    """Return the parts, None for what is no URI: `urlsplit` drops line ends and takes spaces (RFC 3986 §2)."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        return None
    return parts
