"""Clients that authenticate by mutual TLS: `tls_client_auth`, `self_signed_tls_client_auth` (RFC 8705 §2)."""

from __future__ import annotations

from ..conf import introspection_settings
from ..jose import is_installed
from ..models import AuthMethod, Client
from ..models.certificates import registered_thumbprints
from ..protocol.certificate import Certificate
from ..x509 import is_named
from .client_sources import CLIENT_INACTIVE, UNKNOWN_CLIENT, ClientResult, Rejection


def supported_methods() -> list[str]:
    """Return the authentication methods by certificate that this server accepts."""
    source = introspection_settings.CLIENT_CERTIFICATES
    if source is None:
        return []
    by_name = [AuthMethod.TLS.value] if source.may_be_validated and is_installed() else []
    return [*by_name, AuthMethod.SELF_SIGNED_TLS.value]


def authenticate_by_certificate(client_id: str, certificate: Certificate) -> ClientResult:
    """Return the client of this app with this identifier, or the reason why the certificate is not the client's.

    It takes one statement.
    """
    client = Client.objects.with_id(client_id).first()
    if client is None or client.client_id != client_id:  # a collation may see fewer differences than we do
        return UNKNOWN_CLIENT
    if not client.is_active:
        return CLIENT_INACTIVE
    if problem := _problem(client, certificate):
        return Rejection(problem)
    return client


def _problem(client: Client, certificate: Certificate) -> str | None:
    method = client.token_endpoint_auth_method
    if method == AuthMethod.SELF_SIGNED_TLS:
        known = certificate.thumbprint in registered_thumbprints(client)
        return None if known else "the certificate is not one of the client"
    if method != AuthMethod.TLS:
        return "not its registered method: mutual TLS"
    if not certificate.is_validated:
        return "the chain of the certificate is not validated"
    if not client.certificate_name or not is_installed():
        return "tls_client_auth needs the name of a certificate, and the extra jwt"
    if not is_named(certificate.der, client.certificate_name_kind, client.certificate_name):
        return "the certificate has another name"
    return None
