"""The names in a certificate, with cryptography: imported when a certificate is first read (the extra `jwt`)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

SUBJECT_DN = "tls_client_auth_subject_dn"
SAN_DNS = "tls_client_auth_san_dns"
SAN_URI = "tls_client_auth_san_uri"
SAN_IP = "tls_client_auth_san_ip"
SAN_EMAIL = "tls_client_auth_san_email"
"""The kinds of names, as the metadata of a client have them (RFC 8705 §2.1.2)."""


def name_problem(kind: str, name: str) -> str | None:
    """Return why a name of this kind is in no certificate, None if it may be in one."""
    if kind == SAN_IP:
        try:
            ip_address(name)
        except ValueError:
            return "must be an IP address"
    if kind == SUBJECT_DN:
        try:
            _distinguished_name(name)
        except ValueError:
            return "must be a distinguished name such as CN=shop,O=Example,C=DE (RFC 4514)"
    return None


def is_named(der: bytes, kind: str, name: str) -> bool:
    """Return whether a certificate has exactly this name of this kind; False for one that cannot be read.

    IP addresses are compared as numbers, names of hosts without regard to case, and others character by character.
    A wildcard in a certificate matches only itself.
    """
    from cryptography import x509

    types: dict[str, Any] = {
        SAN_DNS: x509.DNSName,
        SAN_URI: x509.UniformResourceIdentifier,
        SAN_IP: x509.IPAddress,
        SAN_EMAIL: x509.RFC822Name,
    }
    try:
        certificate = x509.load_der_x509_certificate(der)
        if kind == SUBJECT_DN:
            return bool(certificate.subject == _distinguished_name(name))
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found: list[Any] = alternatives.get_values_for_type(types[kind])
        if kind == SAN_IP:
            return ip_address(name) in found
    except Exception:  # noqa: BLE001 - the library raises many that share no class; also for a row that was not validated
        return False
    return name.lower() in map(str.lower, found) if kind == SAN_DNS else name in found


def _distinguished_name(name: str) -> Any:
    """Return the parsed form of a distinguished name in text; raises ValueError (RFC 4514)."""
    from cryptography import x509

    if not name:
        raise ValueError("an empty name is the name of no client")
    return x509.Name.from_rfc4514_string(name)
