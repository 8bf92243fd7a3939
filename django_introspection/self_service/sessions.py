"""Which requests belong to the session of their user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model


def is_of_session(request: Any) -> bool:
    """Return whether the session of a request names its user, and no access token does.

    A middleware may set the user whom a token names. Such a request has the rights of the token and no more.
    """
    if getattr(request, "token_info", None) is not None or not hasattr(request, "session"):
        return False
    user = request.user
    if not isinstance(user, get_user_model()):
        return False
    return bool(request.session.get(SESSION_KEY) == user._meta.pk.value_to_string(user))
