"""The names by which this project's own answers call users and clients: `sub` and `username` (RFC 7662 §2.2)."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from ..conf import introspection_settings, user_pk
from ..hooks import call_hook
from ..protocol.opaque import has_control_characters
from ..protocol.principal import CLIENT_SUBJECT
from ..setting_values import NAME
from ..user_models import login_name


def user_subject(user: Any, client_id: str | None) -> str:
    """Return the `sub` of a user in a token of a client; raises IntrospectionUnavailable if SUBJECT gives none."""
    read = partial(read_user_subject, client_id=client_id)
    return call_hook(f"{NAME}['SUBJECT']", introspection_settings.SUBJECT, user, read=read)


def read_user_subject(subject: Any, client_id: str | None) -> str:
    """Return the `sub` of a user as a function of the project gave it; raises TypeError or ValueError.

    A subject that names a client is none: resource servers would take the user for the client.
    """
    if not isinstance(subject, str) or not subject or has_control_characters(subject):
        raise TypeError("it must return a string that is not empty")
    if subject == client_id or subject.startswith(CLIENT_SUBJECT):
        raise ValueError("the subject of a user must not be that of a client")
    return subject


def user_name(user: Any) -> str | None:
    """Return the name of a user to show people; raises IntrospectionUnavailable if the user model gives none."""

    def read(name: Any) -> str | None:
        if name is not None and not isinstance(name, (str, int, UUID)):
            raise TypeError("it must return a string")
        return None if name is None else str(name)

    get_name = getattr(user, "get_username", None) or partial(login_name, user)
    return call_hook(f"{type(user).__qualname__}.get_username()", get_name, read=read)


def client_subject(client_id: str) -> str:
    """Return the `sub` of a client that acts for itself.

    That is its identifier, unless the same string could be the `sub` of a user. Then it begins with `client:`, as no
    `sub` of a user does (RFC 9700 §4.15, RFC 9068 §5). RFC 9068 §2.2 requires a `sub`, so none cannot be the answer.
    """
    return CLIENT_SUBJECT + client_id if may_be_user_subject(client_id) else client_id


def may_be_user_subject(name: str) -> bool:
    """Return whether the `sub` of a user could be this string; of an unknown SUBJECT, every string could."""
    is_pk = introspection_settings.SUBJECT is user_pk
    return not is_pk or name.startswith(CLIENT_SUBJECT) or may_be_user_pk(name)


def may_be_user_pk(name: str) -> bool:
    """Return whether the primary key of a user could be written like this."""
    try:
        get_user_model()._meta.pk.to_python(name)
    except ValidationError:
        return False
    return True
