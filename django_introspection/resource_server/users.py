"""Who `request.user` is: the local user where the source or a resolver knows one, else one made of the token alone."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.utils.module_loading import import_string

from ..backends.base import TokenBackend
from ..exceptions import InvalidBackend
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.token_info import TokenInfo
from ..setting_values import NAME, unknown_keys


class TokenUser:
    """The resource owner or client that a token stands for; needs no table and no contrib.auth.

    `pk` is a UUID that stays the same for an issuer and subject; `issuer` counts where the token names none. It is
    nobody in the admin: never staff, never superuser, and has no permissions, whatever the answer says.
    """

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, info: TokenInfo, *, issuer: str | None = None) -> None:
        self.token_info = info
        self.pk = self.id = _stable_pk(info, info.iss or issuer or "")

    @property
    def is_client(self) -> bool:
        """Whether this is a client acting for itself."""
        return is_client(self.token_info)

    @property
    def username(self) -> str:
        """A name to show people, else the subject; never an identity."""
        info = self.token_info
        return info.username or info.sub or info.client_id or ""

    def get_username(self) -> str:
        """Return `username`."""
        return self.username

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Refuse: what a token may do is its scope."""
        return False

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        """Refuse, like `has_perm`."""
        return False

    def has_module_perms(self, module: str) -> bool:
        """Refuse, like `has_perm`."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenUser) and self.pk == other.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"<TokenUser {self.pk}>"


def is_client(info: TokenInfo) -> bool:
    """Tell whether a token is of a client acting for itself."""
    return info.sub is None or info.sub == info.client_id


Resolver = Callable[[TokenUser, HttpRequest], Any]
"""Takes what the token says of its user, and the request; returns the user, None to refuse the token."""


def user_of(answer: Answer, backend: TokenBackend, request: HttpRequest) -> Any:
    """Return the user of an active token, and an Inactive where it has none that may come in.

    Raises IntrospectionUnavailable where the database does not answer; what else a resolver raises is an error of
    the project, and nobody is let in.
    """
    if not answer:
        return answer
    if answer.user is not None:
        return _let_in(answer.user)
    user = TokenUser(answer.info, issuer=backend.issuer or backend.alias)
    resolve = resolver_of(backend)
    if resolve is None:
        return user
    try:
        return _let_in(resolve(user, request))
    except DatabaseError as error:
        raise IntrospectionUnavailable("the user cannot be looked up") from error


async def auser_of(answer: Answer, backend: TokenBackend, request: HttpRequest) -> Any:
    """Return like `user_of`, with the resolver off the event loop."""
    if answer and answer.user is None and backend.user_resolver is not None:
        return await sync_to_async(user_of)(answer, backend, request)
    return user_of(answer, backend, request)


def resolver_of(backend: TokenBackend) -> Resolver | None:
    """Return the resolver of a backend, None where its users are TokenUsers; raises InvalidBackend."""
    if backend.user_resolver is None:
        return None
    if backend not in _resolvers:
        _resolvers[backend] = _resolver(f"{NAME}['BACKENDS'][{backend.alias!r}]['USER']", backend.user_resolver)
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
    except ImportError as error:
        raise InvalidBackend(f"{place} cannot be imported.") from error
    except (TypeError, ValueError) as error:
        raise InvalidBackend(f"{place}['OPTIONS'] cannot be used: {error}.") from error
    if not callable(resolver) or iscoroutinefunction(resolver):
        raise InvalidBackend(
            f"{place} must be a function or a class whose objects can be called, and not a coroutine function."
        )
    return resolver  # type: ignore[no-any-return]  # called with what the type says, whatever it is


def _let_in(user: Any) -> Any:
    if user is None:
        return Inactive(Reason.USER_UNKNOWN)
    return user if getattr(user, "is_active", True) else Inactive(Reason.USER_INACTIVE)


def _stable_pk(info: TokenInfo, issuer: str) -> uuid.UUID:
    """Name an identity by issuer and subject; a client without a subject is no user of the same name."""
    kind, name = ("sub", info.sub) if info.sub is not None else ("client_id", info.client_id or "")
    parts = "".join(f"{len(part)}:{part}" for part in (issuer, kind, name))
    return uuid.UUID(bytes=hashlib.sha256(parts.encode()).digest()[:16])
