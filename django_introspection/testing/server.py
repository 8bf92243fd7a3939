"""An authorization server on a loopback port, whose tokens and outages a test decides on."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

from .. import jose
from ..protocol.challenge import BASIC
from ..protocol.credentials import SecretCredentials, parse_credentials
from ..protocol.errors import (
    InvalidClient,
    InvalidRequest,
    InvalidScope,
    OAuthError,
    TemporarilyUnavailable,
    UnsupportedGrantType,
)
from ..protocol.form import Form, parse_form
from ..protocol.jwt import ACCESS_TOKEN_TYPE
from ..protocol.obtained_token import ACCESS_TOKEN
from . import claims as usual
from .http import Listener

AUDIENCE = "https://api.example.com"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = ["client_credentials", TOKEN_EXCHANGE]
PATHS = {"introspection": "/introspect", "token": "/token", "revocation": "/revoke"}
METADATA_PATH, JWKS_PATH = "/.well-known/oauth-authorization-server", "/jwks"
PATIENCE = 30
"""Seconds that a request hangs at most: a client without a deadline fails its test, and does not stop it."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it came; `form` and `headers` hold what is secret elsewhere, so they are not shown."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)


class FakeAuthorizationServer:
    """Answer as an authorization server would, on a loopback port, while a `with` statement lasts.

    It has an introspection endpoint (RFC 7662), a token endpoint for `client_credentials` (RFC 6749 §4.4) and token
    exchange (RFC 8693), a revocation endpoint (RFC 7009), a metadata document (RFC 8414) and, if joserfc is installed,
    a key set. Every call to an endpoint needs the credentials of one of `clients`, by Basic or in the form. `requests`
    are those received, in order. `audience` is what tokens are for unless their claims say otherwise.
    """

    def __init__(self, *, audience: str = AUDIENCE) -> None:
        self.audience = audience
        self.client_id, self.client_secret = usual.CLIENT_ID, secrets.token_urlsafe(32)
        self.clients = {self.client_id: self.client_secret}
        self.requests: list[ReceivedRequest] = []
        self._tokens: dict[str, dict[str, Any]] = {}
        self._outage: str | None = None
        self._over = threading.Event()
        self._listener = Listener(self._respond)

    @property
    def issuer(self) -> str:
        """The issuer identifier, which is also the address of the server."""
        return self._listener.origin

    @property
    def introspection_url(self) -> str:
        """The URL of the introspection endpoint."""
        return self.issuer + PATHS["introspection"]

    def settings(self, *, audience: str | list[str] | None = None, **options: Any) -> dict[str, Any]:
        """Return TOKEN_INTROSPECTION for a project that asks this server; further `options` are RemoteBackend's."""
        own = {
            "introspection_url": self.introspection_url,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "audience": self.audience if audience is None else audience,
        }
        backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": {**own, **options}}
        return {"BACKENDS": {"default": backend}}

    def service(self, **options: Any) -> dict[str, Any]:
        """Return an entry of SERVICES for tokens of this server; further `options` are those of the entry."""
        return {"issuer": self.issuer, "client_id": self.client_id, "client_secret": self.client_secret, **options}

    def issue(self, *, scope: str | Iterable[str] = "", jwt: bool = False, **claims: Any) -> str:
        """Return a new access token with these claims, completed as by `token`; with `jwt` one of RFC 9068.

        Raises ValueError for claims that no answer may have, and for `jwt` without the extra `jwt`.
        """
        own = {"iss": self.issuer, "aud": self.audience, "jti": secrets.token_urlsafe(16)}
        completed = usual.complete(scope, {**own, **claims})
        members = {name: value for name, value in completed.items() if value is not None}
        value = self._signed(members) if jwt else secrets.token_urlsafe(32)
        self._tokens[value] = members
        return value

    def revoke(self, token: str) -> None:
        """End a token: it is not active from now on."""
        self._tokens.pop(token, None)

    @contextmanager
    def outage(self, kind: Literal["refuse", "unavailable", "hang"] = "unavailable") -> Iterator[None]:
        """Fail for a while: `refuse` connections, answer 503 (`unavailable`), or `hang` until the end of the outage."""
        self._outage = kind
        self._over.clear()
        try:
            if kind == "refuse":
                with self._listener.refusing():
                    yield
            else:
                yield
        finally:
            self._outage = None
            self._over.set()

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.stop()

    @cached_property
    def _key(self) -> jose.SigningKey:
        return jose.generate_signing_key("ES256")

    def _signed(self, members: Mapping[str, Any]) -> str:
        claims = {name: value for name, value in members.items() if name != "token_type"}
        return self._key.sign_jwt(ACCESS_TOKEN_TYPE, claims)

    def _respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        try:
            form = parse_form(headers.get("content-type", ""), body, repeatable=["resource", "audience"])
            self.requests.append(ReceivedRequest(method, path, headers, _plain(form, body)))
            self._fail_in_an_outage()
            return 200, self._answer(method, path, headers, form), {"Cache-Control": "no-store"}
        except OAuthError as error:
            return (
                error.status,
                error.to_dict(),
                {"WWW-Authenticate": BASIC} if isinstance(error, InvalidClient) else {},
            )

    def _fail_in_an_outage(self) -> None:
        if self._outage == "hang":
            self._over.wait(PATIENCE)
            raise TemporarilyUnavailable
        if self._outage is not None:
            raise TemporarilyUnavailable

    def _answer(self, method: str, path: str, headers: Mapping[str, str], form: Form) -> Any:
        documents = {METADATA_PATH: self._metadata, JWKS_PATH: self._jwks}
        endpoints = {
            PATHS["introspection"]: self._introspect,
            PATHS["token"]: self._grant,
            PATHS["revocation"]: self._revoke,
        }
        if path not in {**documents, **endpoints}:
            raise InvalidRequest("There is nothing here.", status=404)
        if method != ("GET" if path in documents else "POST"):
            raise InvalidRequest("The method is not allowed.", status=405)
        if path in documents:
            return documents[path]()
        return endpoints[path](self._caller(headers, form), form)

    def _caller(self, headers: Mapping[str, str], form: Form) -> str:
        credentials = parse_credentials(headers.get("authorization", ""), form)
        if not isinstance(credentials, SecretCredentials):
            raise InvalidClient("The authentication method is not supported.")
        known = self.clients.get(credentials.client_id)
        if known is None or not secrets.compare_digest(known.encode(), credentials.client_secret.encode()):
            raise InvalidClient("The client credentials are wrong.")
        return credentials.client_id

    def _introspect(self, caller: str, form: Form) -> dict[str, Any]:
        members = self._tokens.get(form.require("token"))
        if members is None or members.get("exp", time.time() + 1) <= time.time():
            return {"active": False}
        return {"active": True, **members}

    def _grant(self, caller: str, form: Form) -> dict[str, Any]:
        grants = {"client_credentials": self._own_token, TOKEN_EXCHANGE: self._exchanged}
        grant_type = form.require("grant_type")
        if grant_type not in grants:
            raise UnsupportedGrantType
        return grants[grant_type](caller, form)

    def _own_token(self, caller: str, form: Form) -> dict[str, Any]:
        return self._issued(form, form.get("scope") or "", client_id=caller)

    def _exchanged(self, caller: str, form: Form) -> dict[str, Any]:
        """Issue a token of the same subject, as a delegation if the request names an actor (RFC 8693 §4.1)."""
        subject = self._active(form, "subject_token")
        actor = {"act": {"sub": self._active(form, "actor_token")["sub"]}} if form.get("actor_token") else {}
        scope = form.get("scope") or subject.get("scope", "")
        lasting = {name: subject[name] for name in ("sub", "username") if name in subject}
        answer = self._issued(form, scope, client_id=caller, **lasting, **actor)
        return {**answer, "issued_token_type": ACCESS_TOKEN}

    def _active(self, form: Form, name: str) -> dict[str, Any]:
        """Return the members of an active access token in a form (RFC 8693 §2.1)."""
        members = self._introspect("", Form({"token": [form.require(name)]}))
        if form.require(f"{name}_type") != ACCESS_TOKEN or not members["active"]:
            raise InvalidRequest(f"The {name} is not an active access token.")
        return members

    def _issued(self, form: Form, scope: str, **claims: Any) -> dict[str, Any]:
        resources = [*form.all("resource"), *form.all("audience")] or [self.audience]
        try:
            value = self.issue(scope=scope, aud=resources, **claims)
        except ValueError:
            raise InvalidScope from None
        return {"access_token": value, "token_type": "Bearer", "expires_in": usual.LIFETIME, "scope": scope}

    def _revoke(self, caller: str, form: Form) -> None:
        token = form.require("token")
        if self._tokens.get(token, {}).get("client_id") == caller:
            self.revoke(token)

    def _jwks(self) -> dict[str, Any]:
        if not jose.is_installed():
            raise InvalidRequest("There is nothing here.", status=404)
        return {"keys": [self._key.public_jwk]}

    def _metadata(self) -> dict[str, Any]:
        methods = ["client_secret_basic", "client_secret_post"]
        document: dict[str, Any] = {"issuer": self.issuer, "grant_types_supported": GRANT_TYPES}
        for name, path in PATHS.items():
            document[f"{name}_endpoint"] = self.issuer + path
            document[f"{name}_endpoint_auth_methods_supported"] = methods
        return {**document, **({"jwks_uri": self.issuer + JWKS_PATH} if jose.is_installed() else {})}


def _plain(form: Form, body: bytes) -> dict[str, str]:
    """Return the parameters by name; of one that is repeated, all values with a space between."""
    names = dict.fromkeys(part.partition("=")[0] for part in body.decode().split("&"))
    return {name: " ".join(form.all(name)) for name in names if form.all(name)}
