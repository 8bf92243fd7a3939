"""How this resource server authenticates at an authorization server (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2)."""

from __future__ import annotations

import base64
import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import quote_plus

from ..jose import SigningKey
from ..protocol.assertion import ASSERTION_TYPE
from .steps import Steps

ASSERTION_LIFETIME = 60
"""Seconds."""
METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth")
BEARER_METHODS = ("bearer", "client_credentials")
NO_METHOD = "none"
"""For an endpoint that authenticates no one, on a private network or by design (RFC 8414 §2)."""


class Sent(Enum):
    """The kind of credentials that go with a request: it decides what a refusal can mean."""

    CLIENT = auto()
    TOKEN = auto()
    NOTHING = auto()


class RequestCredentials(NamedTuple):
    """The part of a request that authenticates it: form parameters and headers."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


class Authorization(ABC):
    """The way in which this resource server is authorized to call an endpoint (RFC 7662 §2.1)."""

    sends = Sent.CLIENT

    @property
    @abstractmethod
    def caller(self) -> tuple[str, ...]:
        """Values by which the server recognizes the caller: an answer is for this caller alone."""

    @abstractmethod
    def current(self) -> Steps[ClientAuthentication]:
        """Return how to authenticate now; raise IntrospectionUnavailable."""

    def other_than(self, refused: ClientAuthentication) -> Steps[ClientAuthentication | None]:
        """Return another way if the server has refused one, None if there is no other."""
        yield from ()
        return None


class ClientAuthentication(Authorization):
    """One of the METHODS, with what it needs."""

    @abstractmethod
    def credentials(self) -> RequestCredentials:
        """Return the credentials for one request."""

    def current(self) -> Steps[ClientAuthentication]:
        """Return this one: it does not change."""
        yield from ()
        return self


class SecretBasic(ClientAuthentication):
    """A secret in the Authorization header, both halves form-encoded first (RFC 6749 §2.3.1)."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        halves = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        self._header = f"Basic {base64.b64encode(halves.encode()).decode()}"
        self._client_id = client_id

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the client; a weak secret could be guessed from its digest."""
        return ("client", self._client_id)

    def credentials(self) -> RequestCredentials:
        """Return the same each time."""
        return RequestCredentials({}, {"Authorization": self._header})


class SecretPost(ClientAuthentication):
    """A secret in the form."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._form = {"client_id": client_id, "client_secret": client_secret}

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the client; a weak secret could be guessed from its digest."""
        return ("client", self._form["client_id"])

    def credentials(self) -> RequestCredentials:
        """Return the same each time."""
        return RequestCredentials(self._form, {})


class BearerToken(ClientAuthentication):
    """An access token of the resource server's own (RFC 7662 §2.1)."""

    sends = Sent.TOKEN

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the header: nothing else identifies the caller. Only its digest is stored."""
        return ("bearer", self._header)

    def credentials(self) -> RequestCredentials:
        """Return the same each time."""
        return RequestCredentials({}, {"Authorization": self._header})


class NoAuthentication(ClientAuthentication):
    """Nothing: the endpoint answers everyone that can reach it."""

    sends = Sent.NOTHING

    @property
    def caller(self) -> tuple[str, ...]:
        """Return a word for everyone."""
        return ("everyone",)

    def credentials(self) -> RequestCredentials:
        """Return none."""
        return RequestCredentials({}, {})


class PrivateKeyJWT(ClientAuthentication):
    """An assertion signed for this one request, for the issuer alone (draft-ietf-oauth-rfc7523bis §4).

    `client_id` goes beside it: it is optional (RFC 7521 §4.2), and Spring Authorization Server requires it.
    """

    def __init__(self, client_id: str, key: SigningKey, issuer: str) -> None:
        self._client_id, self._key, self._issuer = client_id, key, issuer

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the client and its public key."""
        return ("key", self._client_id, json.dumps(self._key.public_jwk, sort_keys=True))

    def credentials(self) -> RequestCredentials:
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
        assertion = self._key.sign_jwt("client-authentication+jwt", claims)
        form = {
            "client_id": self._client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return RequestCredentials(form, {})


class TLSClient(ClientAuthentication):
    """The certificate of the connection; the form names its client (RFC 8705 §2)."""

    def __init__(self, client_id: str) -> None:
        self._form = {"client_id": client_id}

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the client."""
        return ("client", self._form["client_id"])

    def credentials(self) -> RequestCredentials:
        """Return the same each time."""
        return RequestCredentials(self._form, {})
