"""Users in the admin of tokens: found by name or primary key, and linked from their own page."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q


def users_called(text: str) -> list[Any]:
    """Return the primary keys of the users whose name or primary key is the text; they are rarely more than one."""
    if "\x00" in text:
        return []
    users = get_user_model()
    named = Q(**{users.USERNAME_FIELD: text})
    key = _key(text)
    found = users._default_manager.filter(named if key is None else named | Q(pk=key))
    return list(found.values_list("pk", flat=True))


def find_user(text: str) -> Any:
    """Return the user with a primary key, or None."""
    key = _key(text)
    return None if key is None else get_user_model()._default_manager.filter(pk=key).first()


def _key(text: str) -> Any:
    """Return the primary key that a text stands for, or None if it cannot be one."""
    try:
        return get_user_model()._meta.pk.to_python(text)
    except ValidationError:
        return None
