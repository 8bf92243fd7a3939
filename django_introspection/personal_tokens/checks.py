"""The system checks of personal tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from ..backends.database import DatabaseBackend
from ..backends.registry import token_backends
from ..check_messages import TAG, error, of_valid_settings, warning
from ..conf import introspection_settings
from ..protocol.identifiers import names_any_of
from ..setting_values import NAME

PLACE = f"{NAME}['PERSONAL_TOKENS']"


def register() -> None:
    """Register the checks; a second call changes nothing."""
    for check in (check_user_model, check_audience):
        checks.register(check, TAG)


@of_valid_settings
def check_user_model(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for users whose permissions cannot be asked for (E110)."""
    scopes = introspection_settings.PERSONAL_TOKENS.scopes
    if callable(scopes) or not any(scopes.values()):
        return
    try:
        model = get_user_model()
    except ImproperlyConfigured:  # Django's own checks report it
        return
    if not callable(getattr(model, "has_perm", None)):
        yield error("E110", f"{PLACE}['SCOPES'] names permissions, and the user model has no method has_perm().")


@of_valid_settings
def check_audience(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for an audience whose tokens are JWTs (E111), and for none although this resource server has one (W110)."""
    audience = introspection_settings.PERSONAL_TOKENS.audience
    for name, resource in introspection_settings.RESOURCES.items():
        if resource.takes_jwt and names_any_of([name], audience):
            yield error("E111", f"{PLACE}['AUDIENCE'] names {name}, whose tokens are JWTs; personal tokens are not.")
    if "PERSONAL_TOKENS" not in introspection_settings.values:
        return
    own = [backend for backend in token_backends.made() if isinstance(backend, DatabaseBackend)]
    for backend in own:
        if backend.audience and not names_any_of(backend.audience, audience):
            text = f"{PLACE}['AUDIENCE'] names no audience of the backend {backend.alias!r}, which rejects the tokens."
            yield warning("W110", text)
