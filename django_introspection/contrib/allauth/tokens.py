"""The meaning of a token of allauth's identity provider."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from allauth.idp.oidc import app_settings
from allauth.idp.oidc.adapter import DefaultOIDCAdapter, get_adapter
from allauth.idp.oidc.models import Client, Token
from django.db import Error as DatabaseError
from django.db import router
from django.db.models import QuerySet

from ...backends.subjects import read_user_subject, user_name
from ...conf import introspection_settings
from ...hooks import call_hook
from ...protocol.answer import Active, Answer, Inactive, Reason
from ...protocol.dialects import REFRESH_MARK
from ...protocol.errors import database_failure
from ...protocol.jwt import MalformedJWT, looks_like_jwt, parse_jwt
from ...protocol.opaque import has_control_characters
from ...protocol.token_info import TokenInfo
from ...user_models import is_active_user
from ..stored_times import seconds
from ..subjects import client_subject

DESCRIBED = (Token.Type.ACCESS_TOKEN, Token.Type.REFRESH_TOKEN)
"""Authorization codes and initial access tokens are in the same table."""


def answer_for_allauth_token(token: str) -> Answer:
    """Return what a value means as a token of either kind; raises IntrospectionUnavailable."""
    if not token or has_control_characters(token):
        return Inactive(Reason.MALFORMED)
    try:
        row = first(tokens(token), token)
    except DatabaseError as error:
        raise database_failure(error) from error
    return describe_allauth_token(row, token) if row is not None else Inactive(Reason.UNKNOWN)


def tokens(token: str) -> QuerySet[Any]:
    """Return the one token of a value, its client and its user in the same statement."""
    rows: QuerySet[Any] = Token.objects.using(router.db_for_write(Token)).filter(
        type__in=DESCRIBED, hash=_hash_of(token)
    )
    return rows.select_related("client", "user")


def first(rows: QuerySet[Any], token: str) -> Any:
    """Return the row of a token, None if there is none; a collation may ignore differences between two hashes."""
    row = next(iter(rows[:1]), None)
    return row if row is not None and row.hash == _hash_of(token) else None


def _hash_of(token: str) -> str:
    adapter = get_adapter()
    return call_hook(f"{type(adapter).__qualname__}.hash_token()", adapter.hash_token, token, read=_string)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it must return a string")
    return value


def describe_allauth_token(token: Any, value: str) -> Answer:
    """Return the meaning of a token's row; `value` is the token itself, whose hash the row has."""
    client, user, audience = token.client, token.user, _audience(token)
    if reason := _reason(token, audience):
        return Inactive(reason)
    members = {
        **_claims(value),
        "scope": " ".join(token.get_scopes()),
        "client_id": client.id,
        "username": user_name(user) if user else None,
        "token_type": "Bearer" if token.type == Token.Type.ACCESS_TOKEN else None,
        "exp": seconds(token.expires_at) if token.expires_at else None,
        "iat": seconds(token.created_at),
        "sub": _subject(user, client),
        "aud": audience,
        "iss": introspection_settings.ISSUER,
        **({} if token.type == Token.Type.ACCESS_TOKEN else REFRESH_MARK),
    }
    return Active(TokenInfo({name: each for name, each in members.items() if each not in (None, "", [])}), user)


def _subject(user: Any, client: Any) -> str | None:
    adapter = get_adapter()
    if user is not None:
        place, read = f"{type(adapter).__qualname__}.get_user_sub()", partial(read_user_subject, client_id=client.id)
        return call_hook(place, adapter.get_user_sub, client, user, read=read)
    by_pk = type(adapter).get_user_sub is DefaultOIDCAdapter.get_user_sub
    return client_subject(client.id, users_by_pk=by_pk)


def _reason(token: Any, audience: list[str] | None) -> Reason | None:
    if token.expires_at is not None and time.time() >= seconds(token.expires_at):
        return Reason.EXPIRED
    if token.client is None or not _is_served(token.client):
        return Reason.CLIENT_INACTIVE
    if token.user is not None and not is_active_user(token.user):
        return Reason.USER_INACTIVE
    return Reason.WRONG_AUDIENCE if audience is None else None


def _is_served(client: Any) -> bool:
    """Return whether the settings of allauth accept clients of this type."""
    return client.type != Client.Type.PUBLIC or "none" in getattr(app_settings, "AUTH_METHODS", ("none",))


def _audience(token: Any) -> list[str] | None:
    """Return the resources of a token, None if they are malformed, which is not the same as no resources."""
    resources = token.data.get("resources", []) if isinstance(token.data, dict) else []
    if not isinstance(resources, list) or not all(isinstance(each, str) for each in resources):
        return None
    return resources


def _claims(value: str) -> dict[str, Any]:
    """Return what only the JWT says. It is the very one that was issued here, since the row has its hash."""
    if not looks_like_jwt(value):
        return {}
    try:
        claims = parse_jwt(value).claims
    except MalformedJWT:
        return {}
    return {name: claims[name] for name in ("jti", "cnf") if name in claims}
