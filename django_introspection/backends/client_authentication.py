"""How this resource server says who it is to an authorization server (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2)."""

from __future__ import annotations

import base64
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote_plus

from django.views.decorators.debug import sensitive_variables

from ..jose import KeyProblem, SigningKey
from ..keys import read_key
from ..protocol.assertion import ASSERTION_TYPE
from ..protocol.jwt import encode_base64url, signing_input
from .options import Options

ASSERTION_LIFETIME = 60
"""Seconds."""
METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth")
BEARER_METHODS = ("bearer", "client_credentials")


class Proof(NamedTuple):
    """What goes with a request: form parameters and headers."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


class ClientAuthentication(ABC):
    """One of the METHODS, with what it needs."""

    @abstractmethod
    def proof(self) -> Proof:
        """Return what to send this time."""


class SecretBasic(ClientAuthentication):
    """A secret in the Authorization header, both halves form-encoded first (RFC 6749 §2.3.1)."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        halves = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        self._header = f"Basic {base64.b64encode(halves.encode()).decode()}"

    def proof(self) -> Proof:
        """Return the same each time."""
        return Proof({}, {"Authorization": self._header})


class SecretPost(ClientAuthentication):
    """A secret in the form."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._form = {"client_id": client_id, "client_secret": client_secret}

    def proof(self) -> Proof:
        """Return the same each time."""
        return Proof(self._form, {})


class BearerToken(ClientAuthentication):
    """An access token of the resource server's own (RFC 7662 §2.1)."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def proof(self) -> Proof:
        """Return the same each time."""
        return Proof({}, {"Authorization": self._header})


class PrivateKeyJWT(ClientAuthentication):
    """An assertion signed for this one request, for the issuer alone (draft-ietf-oauth-rfc7523bis §4)."""

    def __init__(self, client_id: str, key: SigningKey, issuer: str) -> None:
        self._client_id, self._key, self._issuer = client_id, key, issuer

    def proof(self) -> Proof:
        """Sign a new one."""
        now = int(time.time())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._issuer,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"alg": self._key.alg, "kid": self._key.kid, "typ": "client-authentication+jwt"}
        text = signing_input(header, claims)
        assertion = f"{text}.{encode_base64url(self._key.sign(text))}"
        return Proof({"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}, {})


class TLSClient(ClientAuthentication):
    """The certificate of the connection; the form says whose it is (RFC 8705 §2)."""

    def __init__(self, client_id: str) -> None:
        self._form = {"client_id": client_id}

    def proof(self) -> Proof:
        """Return the same each time."""
        return Proof(self._form, {})


def take_authentication(
    options: Options, method: str, client_id: str | None, issuer: str | None
) -> ClientAuthentication:
    """Take what a method needs from the OPTIONS of a backend; raises InvalidBackend."""
    if client_id is None:
        raise options.invalid("client_id", "it is required")
    if method == "client_secret_basic":
        return SecretBasic(client_id, options.required("client_secret"))
    if method == "client_secret_post":
        return SecretPost(client_id, options.required("client_secret"))
    if method == "tls_client_auth":
        return TLSClient(client_id)
    if issuer is None:
        raise options.invalid("issuer", "it is required: an assertion is for an issuer")
    return PrivateKeyJWT(client_id, _take_key(options), issuer)


@sensitive_variables()
def take_bearer_token(options: Options) -> BearerToken:
    """Take a fixed access token; raises InvalidBackend."""
    token = options.required("bearer_token")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise options.invalid("bearer_token", "visible ASCII characters are expected")
    return BearerToken(token)


def _take_key(options: Options) -> SigningKey:
    entry = options.mapping("private_key")
    try:
        return read_key(entry)
    except KeyProblem as problem:
        raise options.invalid("private_key", str(problem)) from None
