"""`request.user`: the local user if the source or a resolver knows one, otherwise one made of the token alone."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import iscoroutinefunction
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.module_loading import import_string

from ..backends.base import TokenBackend
from ..exceptions import InvalidBackend
from ..hooks import call_hook
from ..protocol.answer import Active, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.opaque import digest
from ..protocol.principal import Principal, is_client, principal_of
from ..protocol.token_info import TokenInfo
from ..setting_values import NAME, unknown_keys
from .user_interface import UserInterface

logger = logging.getLogger("django_introspection")


class TokenUser(UserInterface):
    """The resource owner or client of a token; needs no table and no contrib.auth.

    `pk` is a UUID made of the issuer and the name that it gives: the subject, the `username` of a person without a
    subject, or the client that acts for itself. `issuer` is the one in the settings; the caller vouches for `info.iss`
    if it gives none. Never staff, never superuser and without permissions, whatever the answer says.
    """

    def __init__(self, info: TokenInfo, *, issuer: str | None = None, token_digest: bytes | None = None) -> None:
        self.token_info = info
        self.issuer = issuer or info.iss or ""
        self._token_digest = token_digest

    @cached_property
    def principal(self) -> Principal:
        """The user or client that the token names; read when it is needed, because many views need only the token.

        A token that names neither is known by its digest; without one, this object is a principal of its own.
        """
        return principal_of(self.token_info, self._token_digest or uuid.uuid4().bytes)

    @cached_property
    def pk(self) -> uuid.UUID:
        """The identity."""
        return _stable_pk(self.issuer, self.principal)

    @property
    def id(self) -> uuid.UUID:
        """The same as `pk`."""
        return self.pk

    @property
    def is_client(self) -> bool:
        """Whether this is a client that acts for itself, by evidence of the token."""
        return is_client(self.token_info)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenUser) and self.pk == other.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def __repr__(self) -> str:
        return f"<TokenUser {self.pk}>"


Resolver = Callable[[TokenUser, HttpRequest], Any]
"""Takes what the token says of its user, and the request; returns the user, None to refuse the token."""


def user_of(answer: Active, source: TokenBackend, request: HttpRequest, *, asked: TokenBackend, token: str) -> Any:
    """Return the user of an active token, an Inactive if the user is rejected.

    `source` vouches for the answer; `asked` is the backend that was asked, whose resolver counts if `source` has none.
    Raises IntrospectionUnavailable if a resolver raises anything but PermissionDenied, or returns no user.
    """
    if answer.user is not None:
        return _let_in(answer.user)
    user = TokenUser(answer.info, issuer=source.identity_issuer, token_digest=digest(token))
    if source.user_resolver is None and asked.user_resolver is None:
        return user
    named = source if _usable_resolver_of(source) else asked
    resolve = resolver_of(named)
    if resolve is None:
        return user
    return call_hook(resolver_place(named), resolve, user, request, read=_resolved, passing=(PermissionDenied,))


async def auser_of(
    answer: Active, source: TokenBackend, request: HttpRequest, *, asked: TokenBackend, token: str
) -> Any:
    """Return like `user_of`, with the resolver off the event loop."""
    if answer.user is None and (source.user_resolver or asked.user_resolver):
        return await sync_to_async(user_of)(answer, source, request, asked=asked, token=token)
    return user_of(answer, source, request, asked=asked, token=token)


def _usable_resolver_of(source: TokenBackend) -> Resolver | None:
    """Return the resolver of a source; one of an issuer that was looked up concerns this issuer alone if it is wrong.

    No check has seen it: raises IntrospectionUnavailable.
    """
    try:
        return resolver_of(source)
    except InvalidBackend as problem:
        if not source.is_looked_up:
            raise
        logger.error("issuer cannot be used backend=%s: %s", source.alias, problem)
        raise IntrospectionUnavailable("the issuer of this token has a configuration that cannot be used") from None


def resolver_of(backend: TokenBackend) -> Resolver | None:
    """Return the resolver of a backend, None if its users are TokenUsers; raises InvalidBackend."""
    if backend.user_resolver is None:
        return None
    if backend not in _resolvers:
        resolver = _resolver(resolver_place(backend), backend.user_resolver)
        if backend.is_looked_up and getattr(resolver, "names_by_claim", False):
            raise InvalidBackend(
                f"{resolver_place(backend)} must map by 'identity': a claim of one issuer can name a user of another."
            )
        _resolvers[backend] = resolver
    return _resolvers[backend]


_resolvers: WeakKeyDictionary[TokenBackend, Resolver] = WeakKeyDictionary()


def _resolver(place: str, entry: Any) -> Resolver:
    entry = {"RESOLVER": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, Mapping) or not isinstance(entry.get("RESOLVER"), str):
        raise InvalidBackend(f"{place} must be a dotted path, or a dictionary with 'RESOLVER'.")
    if unknown := entry.keys() - {"RESOLVER", "OPTIONS"}:
        raise InvalidBackend(f"{place} {unknown_keys(unknown, ('RESOLVER', 'OPTIONS'))}.")
    try:
        resolver: Any = import_string(entry["RESOLVER"])
        if isinstance(resolver, type):
            resolver = resolver(**entry.get("OPTIONS", {}))
        elif "OPTIONS" in entry:
            raise InvalidBackend(f"{place}['OPTIONS'] must not be set: the resolver is a function.")
    except InvalidBackend:
        raise
    except ImportError as error:
        raise InvalidBackend(f"{place} cannot be imported.") from error
    except (TypeError, ValueError) as error:
        raise InvalidBackend(f"{place}['OPTIONS'] cannot be used: {error}.") from error
    except Exception as error:  # whatever a class of the project raises, it is this setting that is wrong
        raise InvalidBackend(f"{place} cannot be made ({type(error).__name__}).") from error
    if not callable(resolver) or iscoroutinefunction(resolver):
        raise InvalidBackend(
            f"{place} must be a function or a class whose objects can be called, and not a coroutine function."
        )
    return resolver  # type: ignore[no-any-return]  # called with what the type says, whatever it is


def resolver_place(backend: TokenBackend) -> str:
    """Return the place in the settings that names the resolver of a backend."""
    return f"{NAME}['BACKENDS'][{backend.alias!r}]['USER']"


def _resolved(user: Any) -> Any:
    """Return what a resolver returned; raises TypeError if that is no user."""
    if user is None:
        return Inactive(Reason.USER_UNKNOWN)
    if isinstance(user, Inactive):
        return user
    if not hasattr(user, "is_authenticated"):
        raise TypeError("it must return a user, which has the attribute is_authenticated, or None")
    return _let_in(user) if user.is_authenticated else Inactive(Reason.USER_UNKNOWN)


def _let_in(user: Any) -> Any:
    # is_active_user(), without a call of its own in every request
    return user if getattr(user, "is_active", True) else Inactive(Reason.USER_INACTIVE)


def _stable_pk(issuer: str, principal: Principal) -> uuid.UUID:
    """Name an identity by issuer, kind and name: a client is no user of the same name."""
    parts = "".join(f"{len(part)}:{part}" for part in (issuer, principal.kind.value, principal.name))
    return uuid.UUID(bytes=hashlib.sha256(parts.encode()).digest()[:16])
