"""The credentials of a caller: exactly one method in a request (RFC 6749 §2.3)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from .assertion import ASSERTION_TYPE
from .challenge import challenge
from .errors import InvalidCaller, InvalidClient, InvalidRequest, MissingCredentials
from .form import Form
from .identifiers import is_client_id
from .jwt import MalformedJWT, UnverifiedJWT, parse_jwt
from .opaque import has_control_characters
from .presented import BEARER, DPOP

_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


@dataclass(frozen=True, slots=True)
class SecretCredentials:
    """A client id and secret, and the `token_endpoint_auth_method` by which they came.

    `undecoded_secret` is the secret as it was sent, if form-decoding changed it: many clients do not encode.
    """

    method: str
    client_id: str
    client_secret: str = field(repr=False)
    undecoded_secret: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, str]:
        """Both readings of the secret; if there is only one, it appears twice."""
        return self.client_secret, self.undecoded_secret or self.client_secret


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """An access token of the caller's own (RFC 7662 §2.1), and the scheme by which it was sent."""

    token: str = field(repr=False)
    scheme: str = BEARER


@dataclass(frozen=True, slots=True)
class AssertionCredentials:
    """A JWT that the client signed, not verified yet, and the client that it names (RFC 7523 §2.2)."""

    client_id: str
    jwt: UnverifiedJWT = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateCredentials:
    """The client that the certificate of the connection must authenticate (RFC 8705 §2)."""

    client_id: str


Credentials = SecretCredentials | TokenCredentials | AssertionCredentials | CertificateCredentials


def parse_credentials(authorization: str, form: Form, *, has_certificate: bool = False) -> Credentials:
    """Read the caller's credentials from the value of the `Authorization` header or from the form.

    If the connection has a certificate, `client_id` alone is enough.

    Raise InvalidRequest if there are two methods or two different client ids. Raise InvalidClient if the credentials
    are missing or malformed (RFC 6749 §5.2), and for every error in an assertion (RFC 7521 §4.2.1).
    """
    in_body = form.get("client_secret") is not None
    if form.get("client_assertion") or form.get("client_assertion_type"):
        if authorization or in_body:
            raise InvalidClient("More than one authentication method was used.")
        return _from_assertion(form)
    if authorization and in_body:
        raise InvalidRequest("More than one authentication method was used.")
    if authorization:
        return _from_header(authorization, form.get("client_id"))
    if in_body:
        return _checked("client_secret_post", form.get("client_id") or "", form.get("client_secret") or "")
    if has_certificate and (client_id := form.get("client_id")):
        if not is_client_id(client_id):
            raise _broken()
        return CertificateCredentials(client_id)
    raise MissingCredentials("Client authentication is required.")


def _from_header(authorization: str, body_client_id: str | None) -> Credentials:
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "basic":
            credentials = parse_basic(value.strip(" "))
            if body_client_id not in (None, credentials.client_id):
                raise InvalidRequest("The client_id parameter names another client.")
            return credentials
        case "bearer":
            return TokenCredentials(parse_token(value))
        case "dpop":
            return TokenCredentials(parse_token(value, DPOP), DPOP)
    raise InvalidClient("The authentication scheme is not supported.")


def _from_assertion(form: Form) -> AssertionCredentials:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient("The client_assertion_type is not supported.")
    try:
        jwt = parse_jwt(form.get("client_assertion") or "")
    except MalformedJWT as problem:
        raise InvalidClient("The client assertion is malformed.", detail=f"client assertion: {problem}") from None
    client_id = jwt.claims.get("sub")
    if not isinstance(client_id, str) or not is_client_id(client_id):
        raise InvalidClient("The client assertion names no client.")
    if form.get("client_id") not in (None, client_id):
        raise InvalidClient("The client_id parameter names another client.")
    return AssertionCredentials(client_id, jwt)


def parse_basic(value: str) -> SecretCredentials:
    """Read Basic credentials: base64, split at the first colon, form-decode each half (RFC 6749 §2.3.1)."""
    try:
        halves = base64.b64decode(value, validate=True).split(b":", 1)
        client_id, client_secret = (_form_decode(half) for half in halves)
        undecoded = halves[1].decode("utf-8")
    except (binascii.Error, ValueError):
        raise _broken() from None
    credentials = _checked("client_secret_basic", client_id, client_secret)
    return credentials if undecoded == client_secret else replace(credentials, undecoded_secret=undecoded)


def parse_token(value: str, scheme: str = BEARER) -> str:
    """Read the token of a caller's `Authorization` header; raises InvalidCaller."""
    token = value.strip(" ")
    if not _B64TOKEN.fullmatch(token):
        raise invalid_caller("The access token is malformed.", scheme=scheme)
    return token


def invalid_caller(description: str, *, detail: str = "", scheme: str = BEARER) -> InvalidCaller:
    """Return the error for a caller whose access token is rejected (RFC 7662 §2.3)."""
    refusal = challenge(scheme, error="invalid_token", error_description=description)
    return InvalidCaller(description, detail=detail, challenges=(refusal,))


def _checked(method: str, client_id: str, client_secret: str) -> SecretCredentials:
    if not is_client_id(client_id) or not client_secret or has_control_characters(client_secret):
        raise _broken()
    return SecretCredentials(method, client_id, client_secret)


def _form_decode(half: bytes) -> str:
    return unquote_to_bytes(half.replace(b"+", b" ")).decode("utf-8")


def _broken() -> InvalidClient:
    return InvalidClient("The client credentials are malformed.")
