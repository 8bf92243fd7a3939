"""The scope of a personal token, which is never more than its owner may do at this moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..backends.database import narrowed_clients
from ..conf import introspection_settings
from ..hooks import call_hook
from ..models.token_record import TokenRecord
from ..protocol.scope import format_scope, is_scope_token
from ..setting_values import NAME
from .client import CLIENT_ID
from .last_use import note_use

PLACE = f"{NAME}['PERSONAL_TOKENS']['SCOPES']"


def connect() -> None:
    """Limit the tokens of the client of personal tokens; calling it again changes nothing."""
    narrowed_clients[CLIENT_ID] = answer_with


def answer_with(record: TokenRecord) -> TokenRecord:
    """Return the record from which an active token is answered, and note that the token is used."""
    narrowed = narrow(record)
    note_use(record)
    return narrowed


def narrow(record: TokenRecord) -> TokenRecord:
    """Return the record of a token with the part of its scope that its owner may still give.

    Raises IntrospectionUnavailable if that cannot be found out.
    """
    wanted = record.scope.split()
    allowed = allowed_scopes(record.user, wanted) if record.user is not None else frozenset()
    return record._replace(scope=format_scope(token for token in wanted if token in allowed))


def allowed_scopes(user: Any, wanted: Iterable[str] | None = None) -> frozenset[str]:
    """Return the scope tokens that a user may give to a token, or those of them that are wanted.

    A mapping in SCOPES asks for the permissions of the wanted scope tokens alone. Raises IntrospectionUnavailable if
    the function in SCOPES or a permission backend fails.
    """
    scopes = introspection_settings.PERSONAL_TOKENS.scopes
    if callable(scopes):
        found: frozenset[str] = call_hook(PLACE, scopes, user, read=_scope_tokens)
        return found if wanted is None else found.intersection(wanted)
    asked = scopes.keys() if wanted is None else scopes.keys() & set(wanted)
    needed = {name: scopes[name] for name in asked}

    def permitted(user: Any) -> list[str]:
        return [name for name, permissions in needed.items() if all(user.has_perm(each) for each in permissions)]

    return call_hook(PLACE, permitted, user, read=frozenset)


def _scope_tokens(value: Any) -> frozenset[str]:
    tokens = value.split() if isinstance(value, str) else list(value)
    if not all(isinstance(token, str) and is_scope_token(token) for token in tokens):
        raise TypeError("it must return scope tokens")
    return frozenset(tokens)
