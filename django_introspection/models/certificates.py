"""The certificates of a client that authenticates by mutual TLS (RFC 8705 §2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from .. import x509
from ..jose import is_installed
from ..problem_texts import refusal
from ..protocol.certificate import MalformedCertificate, is_thumbprint, read_base64, thumbprint_of

if TYPE_CHECKING:
    from .client import Client


class CertificateNameKind(TextChoices):
    """The kind of the one name by which a certificate is known to be a client's (RFC 8705 §2.1.2)."""

    SUBJECT_DN = x509.SUBJECT_DN, _("Subject (distinguished name)")
    SAN_DNS = x509.SAN_DNS, _("Host name (SAN of type DNS)")
    SAN_URI = x509.SAN_URI, _("URI (SAN of type URI)")
    SAN_IP = x509.SAN_IP, _("IP address (SAN of type IP)")
    SAN_EMAIL = x509.SAN_EMAIL, _("E-mail address (SAN of type e-mail)")


def validate_thumbprints(value: Any) -> None:
    """Raise ValidationError unless the value is a list of SHA-256 thumbprints in base64url."""
    if not isinstance(value, list) or not all(map(is_thumbprint, value)):
        raise ValidationError(_("Enter SHA-256 thumbprints of certificates in base64url: 43 characters each."))


def check_name(client: Client) -> None:
    """Refuse a client of `tls_client_auth` unless exactly one name of its certificate is registered."""
    if not is_installed():
        raise ValidationError(_("Authentication by tls_client_auth needs the extra jwt."))
    if not client.certificate_name or not client.certificate_name_kind:
        text = _("Authentication by tls_client_auth needs a name of the certificate and its kind.")
        raise ValidationError({"certificate_name": text})
    if problem := x509.name_problem(client.certificate_name_kind, client.certificate_name):
        raise ValidationError({"certificate_name": refusal(problem)})


def check_certificates(client: Client) -> None:
    """Refuse a client of `self_signed_tls_client_auth` without a certificate of its own."""
    if not list(registered_thumbprints(client)):
        text = _("Authentication by self_signed_tls_client_auth needs a thumbprint, or public keys with x5c.")
        raise ValidationError({"certificate_thumbprints": text})


def registered_thumbprints(client: Client) -> Iterator[str]:
    """Yield the thumbprints of the certificates that a client has registered, itself or in the `x5c` of its keys."""
    yield from client.certificate_thumbprints
    for jwk in client.jwks.get("keys", ()):
        chain = jwk.get("x5c")
        if isinstance(chain, list) and chain and isinstance(chain[0], str):
            try:
                yield thumbprint_of(read_base64(chain[0]))
            except MalformedCertificate:
                continue
