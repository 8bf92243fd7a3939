"""The certificate of the TLS client of a request: from the web server, or from a header of a trusted proxy (RFC 8705).

A request without a usable certificate is one without a certificate: whatever needs one refuses it.
"""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest

from .addresses import is_from_proxy
from .certificate_setting import SERVER, ClientCertificates
from .conf import introspection_settings
from .protocol.certificate import Certificate, MalformedCertificate, read_header, read_pem

logger = logging.getLogger("django_introspection")

_VALID = "SUCCESS"
"""The value of nginx and mod_ssl for a chain that leads to an authority that they trust."""
_NO_CERTIFICATE = "(null)"
"""The text that Apache sends for a variable without a value."""


def client_certificate(request: HttpRequest) -> Certificate | None:
    """Return the certificate of the client, None if it has none or CLIENT_CERTIFICATES is not set.

    The header of a proxy counts only from an address in TRUSTED_PROXIES. A malformed header, or one that was sent
    twice, counts as none.
    """
    source = introspection_settings.CLIENT_CERTIFICATES
    if source is None:
        return None
    try:
        return _of_server(request) if source.form == SERVER else _of_proxy(request, source)
    except MalformedCertificate as problem:
        logger.warning("client certificate ignored: %s", problem)
        return None


def thumbprint(request: HttpRequest) -> str | None:
    """Return the `x5t#S256` of the certificate of the client, None if it has none."""
    certificate = client_certificate(request)
    return None if certificate is None else certificate.thumbprint


def _of_proxy(request: HttpRequest, source: ClientCertificates) -> Certificate | None:
    value: str | None = request.META.get(source.header or "")
    if not value or value == _NO_CERTIFICATE:
        return None
    if not is_from_proxy(request):
        logger.warning("client certificate ignored: the header is not from a proxy in TRUSTED_PROXIES")
        return None
    is_validated = source.is_validated or (
        source.verify_header is not None and request.META.get(source.verify_header) == _VALID
    )
    return Certificate(read_header(source.form, value), is_validated)


def _of_server(request: HttpRequest) -> Certificate | None:
    """Return the certificate that the web server has got in its own handshake."""
    tls = getattr(request, "scope", {}).get("extensions", {}).get("tls")
    if tls is not None:  # the extension of ASGI
        chain = list(tls.get("client_cert_chain") or ())
        return Certificate(read_pem(chain[0]), tls.get("client_cert_error") is None) if chain else None
    if pem := request.META.get("SSL_CLIENT_CERT"):  # of mod_ssl
        return Certificate(read_pem(pem), request.META.get("SSL_CLIENT_VERIFY") == _VALID)
    socket: Any = request.META.get("gunicorn.socket")
    der = socket.getpeercert(binary_form=True) if hasattr(socket, "getpeercert") else None
    # OpenSSL ends the handshake if the chain of a certificate that Python asked for is invalid
    return Certificate(der, is_validated=True) if der else None
