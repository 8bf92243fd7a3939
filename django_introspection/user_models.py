"""Users of any model that Django allows: one need not be made of Django's base class."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model


def is_active_user(user: Any) -> bool:
    """Return whether a user may log in; one without `is_active` may, as in Django's ModelBackend."""
    return bool(getattr(user, "is_active", True))


def user_has_column(name: str) -> bool:
    """Return whether the table of the user model has a column for a field, so that a query may use it."""
    return any(field.name == name for field in get_user_model()._meta.concrete_fields)


def login_name(user: Any) -> Any:
    """Return what a user logs in with."""
    get_username = getattr(user, "get_username", None)
    return getattr(user, user.USERNAME_FIELD) if get_username is None else get_username()
