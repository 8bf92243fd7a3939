"""A resource server with the options of a guide, and what its views make of the tokens of a shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.resource_server.protected import ask, protect
from tests.servers.fake import FakeServer
from tests.servers.minting import mint
from tests.servers.shapes import Setup, Token

ACCESS_TOKEN_NAMES = {
    *("bearer", "dpop", "access", "access_token", "at+jwt", "application/at+jwt"),
    "urn:ietf:params:oauth:token-type:access_token",
}
KINDS = ("token_type", "token_use", "typ", "tokenName", "purpose")
"""Members by which servers name the kind of a token."""
RFC9068_CLAIMS = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
"""RFC 9068 §2.2."""
OTHER_API = "https://other.example.com/api"


def use(settings: Any, fake: FakeServer, setup: Setup, *, strict: bool = False, **changes: Any) -> None:
    """Make this project a resource server with the options of a setup."""
    options = {**(setup.strict if strict else setup.options), **fake.connection, **changes}
    backend = {"BACKEND": f"django_introspection.backends.{setup.backend}", "OPTIONS": options}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}


def renamed(token: Token, claim: str, value: Any) -> Token:
    """Return the shape with another value of a claim, in the JWT and in the answer, where they have it."""
    claims, answer = token.claims, token.answer
    if claims and claim in claims:
        claims = {**claims, claim: value}
    if answer and isinstance(answer["body"], dict) and claim in answer["body"]:
        answer = {**answer, "body": {**answer["body"], claim: value}}
    return replace(token, claims=claims, answer=answer)


def issue(fake: FakeServer, token: Token, *, key: str = "one", **changes: Any) -> str:
    """Let the server issue a token; `changes` replaces claims and members of the answer."""
    answer = token.answer
    if answer and changes and isinstance(answer["body"], dict) and answer["body"].get("active") is True:
        answer = {**answer, "body": {**answer["body"], **changes}}
    return fake.issue(token, mint(token, key=key, **changes), answer)


def status(value: str) -> int:
    """Return the status of a view that is protected by the default backend."""
    return int(ask(protect(), value).status_code)


def strict_status(setup: Setup, token: Token) -> int:
    """Return the status that the strict variant of a setup must give, by the standards alone."""
    plain = token.expect[setup.name]
    if plain != 200:
        return plain
    if setup.is_jwt:
        typ = str((token.header or {}).get("typ")).lower().removeprefix("application/")
        present = {name for name, value in (token.claims or {}).items() if value is not None}
        return 200 if typ == "at+jwt" and present >= RFC9068_CLAIMS else 401
    body = (token.answer or {})["body"]
    return 200 if any(str(body.get(name)).lower() in ACCESS_TOKEN_NAMES for name in KINDS) else 401


def reads(value: str) -> dict[str, Any]:
    """Return what a view reads of a token, but its roles."""
    view = protect()
    response = ask(view, value)
    assert response.status_code == 200, response.content
    (request,) = view.ran
    info = request.auth
    return {
        "scopes": set(info.scopes),
        "client_id": info.client_id,
        "username": info.username,
        "sub": info.sub,
        "audiences": set(info.audiences),
        "machine": request.user.is_client,
    }


def must_read(token: Token, setup: Setup) -> dict[str, Any]:
    """Return what the shape says that a view reads."""
    expected = token.reads_with(setup.name)
    return {
        "scopes": set(expected.get("scopes") or ()),
        "client_id": expected.get("client_id"),
        "username": expected.get("username"),
        "sub": expected.get("sub"),
        "audiences": set(expected.get("audiences") or ()),
        "machine": bool(expected.get("machine")),
        "roles": expected.get("roles") or [],
    }
