"""Tokens that a project already has, of packages without clients, scopes and audiences: their common backend."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError

from ..backends.base import TokenBackend
from ..backends.options import Options
from ..backends.subjects import user_name, user_subject
from ..conf import introspection_settings
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import database_failure
from ..protocol.opaque import has_control_characters
from ..protocol.scope import format_scope, parse_scope
from ..protocol.token_info import TokenInfo
from ..user_models import is_active_user
from .stored_times import aware, seconds

WITHOUT_EXPIRY = timedelta(days=30)
"""How long the tombstone of a token without an expiry is kept: longer than any cache keeps an answer."""


class ProjectTokenBackend(TokenBackend):
    """Look tokens up in the table of another package, which goes on to issue them.

    Such a token names neither scope nor audience. The option `scope` gives each of them the same scopes, and their
    audience is that of the option `audience`, because they were made for this project.
    """

    is_remote = False
    scope = ""

    def configure(self, options: Options) -> None:
        """Take the scope of every token; raises InvalidBackend."""
        scope = options.string("scope")
        try:
            self.scope = format_scope(parse_scope(scope or ""))
        except ValueError:
            raise options.invalid("scope", "must be scope tokens with one space between them") from None

    @property
    def identity_issuer(self) -> str:
        """The issuer that its answers name; the alias alone if there is none."""
        return introspection_settings.ISSUER or super().identity_issuer

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the database; raises IntrospectionUnavailable if it does not answer."""
        if not token or has_control_characters(token):
            return Inactive(Reason.MALFORMED)
        try:
            return self.look_up(token)
        except DatabaseError as error:
            raise database_failure(error) from error

    @abstractmethod
    def look_up(self, token: str) -> Answer:
        """Return the meaning of a value without control characters; raises DatabaseError."""

    def answer_for_user(self, user: Any, *, created: datetime, expires: datetime | None = None) -> Answer:
        """Return the answer about the token of a user, which is inactive if the user is."""
        if not is_active_user(user):
            return Inactive(Reason.USER_INACTIVE)
        members = {"sub": user_subject(user, None), "username": user_name(user)}
        return self.active(members, user, created=created, expires=expires)

    def active(
        self, members: Mapping[str, Any], user: Any, *, created: datetime, expires: datetime | None = None
    ) -> Active:
        """Return an answer with some members and those that all tokens have."""
        every = {
            **members,
            "scope": self.scope,
            "token_type": "Bearer",
            "exp": None if expires is None else seconds(expires),
            "iat": seconds(created),
            "aud": list(self.audience),
            "iss": introspection_settings.ISSUER,
        }
        return Active(TokenInfo({name: value for name, value in every.items() if value not in (None, "", [])}), user)


def is_over(expires: datetime | None) -> bool:
    """Return whether a moment has passed; None never does."""
    return expires is not None and aware(expires) <= datetime.now(UTC)


def tombstone_expiry(expires: datetime | None) -> datetime:
    """Return until when caches could hold a token."""
    return datetime.now(UTC) + WITHOUT_EXPIRY if expires is None else aware(expires)
