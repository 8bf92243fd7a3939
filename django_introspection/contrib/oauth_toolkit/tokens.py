"""The meaning of a token of django-oauth-toolkit."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import router
from django.db.models import F, QuerySet
from oauth2_provider.models import get_access_token_model, get_refresh_token_model
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import Request

from ...backends.subjects import user_name, user_subject
from ...conf import introspection_settings, user_pk
from ...hooks import call_hook
from ...models.lookups import whole_rows_by
from ...protocol.answer import Active, Answer, Inactive, Reason
from ...protocol.dialects import REFRESH_MARK
from ...protocol.errors import database_failure
from ...protocol.opaque import digest, has_control_characters
from ...protocol.token_info import TokenInfo
from ...user_models import is_active_user
from ..stored_times import seconds
from ..subjects import client_subject

SAME_SAVE = timedelta(seconds=1)


def answer_for_oauth_toolkit_token(token: str) -> Answer:
    """Return what a value means as a token of either kind; raises IntrospectionUnavailable."""
    if not token or has_control_characters(token):
        return Inactive(Reason.MALFORMED)
    try:
        if access_token := _access_token(token):
            return describe_access_token(access_token)
        refresh_token = first(_refresh_tokens(token))
    except DatabaseError as error:
        raise database_failure(error) from error
    return describe_refresh_token(refresh_token) if refresh_token else Inactive(Reason.UNKNOWN)


def _access_token(token: str) -> Any:
    """Return the same row as `access_tokens`, by a statement that is compiled once, None if there is none."""
    lookup = whole_rows_by(get_access_token_model(), "token_checksum", "application", "user")
    return first(access_tokens(token)) if lookup is None else lookup.get(_checksum(token))


def access_tokens(token: str) -> QuerySet[Any]:
    """Return the one access token of a value, its application and its user in the same statement."""
    return _rows(get_access_token_model(), token).select_related("application", "user")


def _refresh_tokens(token: str) -> QuerySet[Any]:
    """Return the refresh tokens of a value, the one that is not revoked first: a value may come again."""
    rows = _rows(get_refresh_token_model(), token).select_related("application", "user", "access_token")
    return rows.order_by(F("revoked").desc(nulls_first=True))


def _rows(model: Any, token: str) -> QuerySet[Any]:
    manager: Any = model._default_manager.using(router.db_for_write(model))
    rows: QuerySet[Any] = manager.filter(token_checksum=_checksum(token))
    return rows


def _checksum(token: str) -> str:
    return digest(token).hex()


def first(rows: QuerySet[Any]) -> Any:
    """Return the first row as the database gives it, None if there is none."""
    return next(iter(rows[:1]), None)


def describe_access_token(token: Any) -> Answer:
    """Say what the row of an access token means."""
    if reason := _reason(token, expires_at=seconds(token.expires)):
        return Inactive(reason)
    if token.application is None and oauth2_settings.RESOURCE_SERVER_INTROSPECTION_URL:
        return Inactive(Reason.UNKNOWN)  # what another server said once, kept here
    if set(oauth2_settings.DCR_REGISTRATION_SCOPE.split()) <= set(token.scope.split()):
        return Inactive(Reason.NOT_AN_ACCESS_TOKEN)
    members = {**_members(token, token.scope), "token_type": "Bearer", "exp": seconds(token.expires)}
    if abs(token.updated - token.created) > SAME_SAVE:  # the row of an earlier token, with a new value
        del members["iat"]
    return _active(members, token.user)


def describe_refresh_token(token: Any) -> Answer:
    """Say what the row of a refresh token means; one without its access token can get no other."""
    if token.revoked is not None or token.access_token is None:
        return Inactive(Reason.REVOKED)
    idle = _idle()
    expires_at = None if idle is None else seconds(token.access_token.expires + idle)
    if reason := _reason(token, expires_at=expires_at):
        return Inactive(reason)
    members = {**_members(token, token.access_token.scope), "exp": expires_at, **REFRESH_MARK}
    return _active(members, token.user)


def _reason(token: Any, *, expires_at: int | None) -> Reason | None:
    if expires_at is not None and time.time() >= expires_at:
        return Reason.EXPIRED
    if token.application is not None and not is_usable(token.application):
        return Reason.CLIENT_INACTIVE
    if token.user is not None and not is_active_user(token.user):
        return Reason.USER_INACTIVE
    if not isinstance(token.resource, list) or not all(isinstance(each, str) for each in token.resource):
        return Reason.WRONG_AUDIENCE
    return None


def _members(token: Any, scope: str) -> dict[str, Any]:
    application, user = token.application, token.user
    client_id = application.client_id if application else None
    return {
        "scope": " ".join(scope.split()),
        "client_id": client_id,
        "username": user_name(user) if user else None,
        "iat": seconds(token.created),
        "sub": _subject(user, client_id),
        "aud": list(token.resource),
        "iss": introspection_settings.ISSUER or oauth2_settings.OIDC_ISS_ENDPOINT,
    }


def _subject(user: Any, client_id: str | None) -> str | None:
    if user:
        return user_subject(user, client_id)
    return client_subject(client_id, users_by_pk=introspection_settings.SUBJECT is user_pk)


def _active(members: dict[str, Any], user: Any) -> Active:
    return Active(TokenInfo({name: value for name, value in members.items() if value not in (None, "", [])}), user)


def is_usable(application: Any) -> bool:
    """Ask an application whether it may be used, as its package does; raises IntrospectionUnavailable if it fails.

    Nothing of a request is known here.
    """
    return call_hook(f"{type(application).__qualname__}.is_usable()", application.is_usable, Request(""), read=bool)


def _idle() -> timedelta | None:
    """Return how long a refresh token outlives its access token; None if that is for ever."""
    value = oauth2_settings.REFRESH_TOKEN_EXPIRE_SECONDS
    if not value:
        return None
    return value if isinstance(value, timedelta) else timedelta(seconds=value)
