"""The options that backends with a server share: how to connect to it, and how to authenticate there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from django.core.checks import CheckMessage

from ..check_messages import warning
from ..conf import introspection_settings
from ..jose import KeyProblem, SigningKey
from ..keys import read_key
from ..outbound.client_authentication import (
    BearerToken,
    ClientAuthentication,
    PrivateKeyJWT,
    SecretBasic,
    SecretPost,
    TLSClient,
)
from ..outbound.discovery import Discovery
from ..outbound.transport import Transport
from ..protocol.error_reports import conceal_locals
from ..protocol.identifiers import issuer_problem, split_uri
from .options import Options, naming_option

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110 §5.1)."""
_OUR_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "accept", "accept-encoding"),
        *("content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "te", "upgrade"),
    }
)


class ServerConnection(NamedTuple):
    """How a backend connects to its server."""

    transport: Transport
    verify: bool | str
    insecure_http: bool
    proxy: str | None
    has_certificate: bool
    caller: tuple[str, ...]
    """Features by which the server may recognize this client, beside its credentials: its certificate, its headers."""

    def discovery(self, issuer: str | None) -> Discovery:
        """Return what finds the endpoints of an issuer over this connection."""
        return Discovery(
            issuer or "", self.transport, insecure_http=self.insecure_http, has_certificate=self.has_certificate
        )

    def check(self, place: str, *, over_http: str) -> list[CheckMessage]:
        """Return warnings about a certificate that is not verified, and about plain http (RFC 7662 §4)."""
        messages: list[CheckMessage] = []
        if self.verify is False:
            messages.append(
                warning("W001", f"{place}['verify'] is False: any machine on the way can answer for the server.")
            )
        if self.insecure_http:
            messages.append(warning("W006", f"{place}['insecure_http'] is True: {over_http}."))
        return messages


def take_connection(options: Options, *, certificate: tuple[str, ...] = ()) -> ServerConnection:
    """Take `verify`, `insecure_http`, `proxy` and `headers`; `certificate` is that of this client.

    Raises InvalidBackend.
    """
    verify, insecure_http = options.flag_or_path("verify", True), options.flag("insecure_http", False)
    proxy, headers = _take_proxy(options), _take_headers(options)
    try:
        transport = Transport(verify=verify, certificate=certificate, proxy=proxy, headers=headers)
        shown = [sha256(Path(certificate[0]).read_bytes()).hexdigest()] if certificate else []
    except (OSError, ValueError) as error:
        wrong = "client_certificate" if certificate and verify in (True, False) else "verify"
        raise options.invalid(wrong, "must be the path of a file of certificates that can be read") from error
    caller = (*shown, *(f"{name}: {value}" for name, value in sorted(headers.items())))
    return ServerConnection(transport, verify, insecure_http, proxy, bool(certificate), caller)


def _take_proxy(options: Options) -> str | None:
    proxy = options.string("proxy")
    if proxy is None:
        return None
    parts = split_uri(proxy)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise options.invalid("proxy", "must be the http or https URL of a proxy, without a path")
    return proxy


def _take_headers(options: Options) -> Mapping[str, str]:
    """Take headers such as a public `Host`; those that carry credentials or describe the body are not among them."""
    headers = options.aliases("headers")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OUR_HEADERS:
            raise options.invalid("headers", f"must not set {name!a}")
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise options.invalid("headers", f"must have a value of visible ASCII characters for {name}")
    return {("Host" if name.lower() == "host" else name): value for name, value in headers.items()}


def take_audience_claim(options: Options, audience: Collection[str]) -> str:
    """Take the member in which a server names the audience of its tokens; raises InvalidBackend."""
    claim = options.string("audience_claim") or "aud"
    if claim != "aud" and not audience:
        raise options.invalid("audience_claim", "needs the option audience")
    return claim


def take_cut_offs(options: Options, issuer: str | None) -> str | None:
    """Take `cut_offs`, and return the issuer whose cut-offs end tokens, None if it is off; raises InvalidBackend."""
    if not options.flag("cut_offs", False):
        return None
    if issuer is None:
        raise options.invalid("cut_offs", "needs the option issuer")
    if introspection_settings.REVOCATIONS is None:
        raise options.invalid("cut_offs", "needs the setting REVOCATIONS")
    return issuer


def require_discovery(options: Options, issuer: str | None, name: str, *, insecure_http: bool) -> None:
    """Raise InvalidBackend if an address is left to the metadata of an issuer, and no usable issuer is named."""
    if issuer is None:
        raise options.invalid(name, "is required, unless the option 'issuer' names an issuer whose metadata has it")
    if problem := issuer_problem(issuer, insecure_http=insecure_http):
        raise options.invalid("issuer", naming_option(problem))


def take_authentication(
    options: Options, method: str, client_id: str | None, issuer: str | None
) -> ClientAuthentication:
    """Take what a method needs from the OPTIONS of a backend; raises InvalidBackend."""
    if client_id is None:
        raise options.invalid("client_id", "is required")
    if method == "client_secret_basic":
        return SecretBasic(client_id, options.required("client_secret"))
    if method == "client_secret_post":
        return SecretPost(client_id, options.required("client_secret"))
    if method == "tls_client_auth":
        return TLSClient(client_id)
    if issuer is None:
        raise options.invalid("issuer", "is required: it is the audience of the assertions")
    return PrivateKeyJWT(client_id, _take_key(options), issuer)


@conceal_locals
def take_bearer_token(options: Options) -> BearerToken:
    """Take a fixed access token; raises InvalidBackend."""
    token = options.required("bearer_token")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise options.invalid("bearer_token", "must be a string of visible ASCII characters")
    return BearerToken(token)


def _take_key(options: Options) -> SigningKey:
    entry = options.mapping("private_key")
    try:
        return read_key(entry)
    except KeyProblem as problem:
        raise options.invalid("private_key", f"cannot be used: {problem}") from None
