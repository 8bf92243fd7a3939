"""Access tokens that need no server: each holds its own claims, and is accepted only inside a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, cast
from unittest import mock

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.request import HttpHeaders
from django.test import AsyncRequestFactory, RequestFactory
from django.test.utils import TestContextDecorator

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..conf import introspection_settings
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.introspection import parse_response
from ..protocol.jwt import decode_base64url, encode_base64url
from ..user_models import is_active_user, login_name
from . import claims as usual

PREFIX = "test-token-"
Target = TypeVar("Target")


def token(*, scope: str | Iterable[str] = "", user: Any = None, **claims: Any) -> str:
    """Return an access token with these claims, which is active inside `fake_tokens`.

    Without claims it is a client's own, `test-client`, expires in an hour, and is from the issuer and for the audience
    of the backend that is asked; a claim that is None is left out. `user` is a saved user of this project: `sub` and
    `username` are as this project's own authorization server would name them, and `request.user` is that user if the
    backend knows users (DatabaseBackend). Raises ValueError for claims that no answer may have (RFC 7662 §2.2).
    """
    named = {} if user is None else {"sub": introspection_settings.SUBJECT(user), "username": login_name(user)}
    named |= claims
    members = usual.complete(scope, named)
    return _encode({"members": members, "named": sorted(named), "user": None if user is None else str(user.pk)})


def inactive() -> str:
    """Return a token that the authorization server says is not active: 401 `invalid_token`."""
    return _encode({})


def unavailable(*, retry_after: int = 5) -> str:
    """Return a token whose state is unknown, as when a server is down: 503, with `Retry-After` in seconds."""
    return _encode({"retry_after": retry_after})


def bearer(access_token: str | None = None, /, **claims: Any) -> dict[str, str]:
    """Return the headers of a request with a token; without one, with a new `token` of these claims."""
    if access_token is not None and claims:
        raise TypeError("give a token or claims, not both")
    return {"Authorization": f"Bearer {token(**claims) if access_token is None else access_token}"}


def authenticate(target: Target, access_token: str | None = None, /, **claims: Any) -> Target:
    """Send a token with everything that `target` sends from now on, and return `target`.

    Takes an APIClient, any test client or request factory of Django, sync or async, one request that such a factory
    has made, and any HTTP client with `headers`. The token is given or made as for `bearer`; the headers of a single
    call go before it.
    """
    headers = bearer(access_token, **claims)
    match target:
        case HttpRequest():
            target.META.update(HttpHeaders.to_wsgi_names(headers))
            vars(target).pop("headers", None)  # a cached property, made of META
        case AsyncRequestFactory():
            cast("dict[str, Any]", target.defaults).update(HttpHeaders.to_asgi_names(headers))
        case RequestFactory():
            target.defaults.update(HttpHeaders.to_wsgi_names(headers))
        case _ if hasattr(target, "headers"):
            target.headers.update(headers)
        case _:
            raise TypeError(f"a {type(target).__name__} sends no requests")
    return target


class fake_tokens(TestContextDecorator):  # noqa: N801 - named like override_settings, and used like it
    """Let every token backend answer from the token alone: a context manager, and a decorator of tests and TestCases.

    Only the source is replaced: how a view reads, accepts and refuses a token is as in production, with the audience
    and issuer that the settings name, also when `override_settings` changes them. Tokens of other makers are
    unknown inside, and no server or table of tokens is asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self._patches: list[Any] = []

    def enable(self) -> None:
        """Begin: backends are made anew."""
        self._patches.append(mock.patch.object(token_backends, "create", partial(_create, token_backends.create)))
        self._patches[-1].start()
        token_backends.close()

    def disable(self) -> None:
        """End: backends are made anew, and ask their sources again."""
        self._patches.pop().stop()
        token_backends.close()


def _create(create: Any, alias: str) -> TokenBackend:
    backend: TokenBackend = create(alias)
    introspect = partial(_answer, backend)
    vars(backend).update(introspect=introspect, aintrospect=sync_to_async(introspect))
    return backend


@conceal_locals
def _answer(backend: TokenBackend, access_token: str) -> Answer:
    meant = _decode(access_token)
    if meant is None:
        return Inactive(Reason.UNKNOWN)
    if "retry_after" in meant:
        raise IntrospectionUnavailable("the test says so", retry_after=meant["retry_after"])
    if "members" not in meant:
        return Inactive(Reason.INACTIVE)
    here = {"iss": backend.issuer or introspection_settings.ISSUER, **_audience_of(backend)}
    unnamed = {name: value for name, value in here.items() if name not in meant["named"]}
    answer = parse_response("application/json", json.dumps({**meant["members"], **unnamed, "active": True}).encode())
    return _with_user(answer, meant["user"]) if answer and meant["user"] and _knows_users(backend) else answer


def _audience_of(backend: TokenBackend) -> dict[str, Any]:
    """Return the claims of a token for this backend; the client acts for itself if it is the audience."""
    audience, claim = sorted(backend.audience), backend.audience_claim
    if not audience or claim == "aud":
        return {"aud": audience or None}
    return {claim: audience[0], **({"sub": audience[0]} if claim == "client_id" else {})}


def _with_user(answer: Active, pk: str) -> Answer:
    """Look the user up as the database backend does, which takes no token of a user who may not log in."""
    from django.contrib.auth import get_user_model

    user = get_user_model()._default_manager.filter(pk=pk).first()
    return Active(answer.info, user) if user and is_active_user(user) else Inactive(Reason.USER_INACTIVE)


def _knows_users(backend: TokenBackend) -> bool:
    from django.apps import apps

    if not apps.is_installed("django_introspection"):
        return False
    from ..backends import DatabaseBackend

    return isinstance(backend, DatabaseBackend)


def _encode(meaning: Mapping[str, Any]) -> str:
    return PREFIX + encode_base64url(json.dumps(meaning).encode())


def _decode(access_token: str) -> dict[str, Any] | None:
    """Return what a token of ours means, None for any other."""
    if not access_token.startswith(PREFIX):
        return None
    try:
        meaning: dict[str, Any] = json.loads(decode_base64url(access_token.removeprefix(PREFIX)))
    except ValueError:
        return None
    return meaning
