"""The resolver that takes users of this project's own table."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.http import HttpRequest

from ..protocol.answer import Inactive, Reason
from ..protocol.opaque import has_control_characters
from .users import TokenUser

IDENTITY = "identity"
CREATE = ("never", "on_write", "always")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class LocalUser:
    """Take the local user whose `field` is the `claim` of the token; a client acting for itself stays a TokenUser.

    `claim` is a member of the answer, or "identity": the UUID made of issuer and subject, which no other issuer can
    bring about. `create` says when somebody new gets a row: "never" (refused), "on_write" (stateless until the first
    request that may change something) or "always". Without `allow_staff` a user who is staff or superuser is refused:
    a name from elsewhere opens no admin.
    """

    def __init__(
        self, *, claim: Any = IDENTITY, field: Any = "username", create: Any = CREATE[0], allow_staff: Any = False
    ) -> None:
        if not all(isinstance(name, str) and name for name in (claim, field)):
            raise ValueError("'claim' and 'field' are names")
        if create not in CREATE:
            raise ValueError(f"'create' is one of {', '.join(CREATE)}")
        if allow_staff not in (True, False):
            raise ValueError("'allow_staff' is True or False")
        self.claim, self.field, self.create, self.allow_staff = claim, field, create, allow_staff

    def __call__(self, token_user: TokenUser, request: HttpRequest) -> Any:
        """Return the user, None or an Inactive where the token opens nothing here."""
        if token_user.is_client:
            return token_user
        name = str(token_user.pk) if self.claim == IDENTITY else token_user.token_info.get(self.claim)
        if not isinstance(name, str) or not name or len(name) > self._longest() or has_control_characters(name):
            return None
        user = self._find(name)
        if user is None and self.create != "never":
            if self.create == "on_write" and request.method in SAFE_METHODS:
                return token_user
            user = self._find_or_create(name)
        if user is None or str(getattr(user, self.field)) != name:  # a collation may have taken another for the same
            return None
        if not self.allow_staff and (getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)):
            return Inactive(Reason.USER_PRIVILEGED)
        return user

    def problem(self) -> str | None:
        """Say why this cannot work with the user model of the project, None where it can."""
        try:
            field = _user_model()._meta.get_field(self.field)
        except (FieldDoesNotExist, ImproperlyConfigured):
            return f"the user model has no field {self.field!r}"
        return None if getattr(field, "unique", False) else f"the field {self.field!r} of the user model is not unique"

    def _longest(self) -> int:
        return getattr(_user_model()._meta.get_field(self.field), "max_length", None) or 255

    def _find(self, name: str) -> Any:
        model = _user_model()
        try:
            return model._default_manager.get(**{self.field: name})
        except (model.DoesNotExist, model.MultipleObjectsReturned, ValueError, ValidationError):
            return None

    def _find_or_create(self, name: str) -> Any:
        """Make a user without a password; of two first requests at once, one makes it and both find it."""
        from django.contrib.auth.hashers import make_password

        defaults = {"password": make_password(None)}
        user, _ = _user_model()._default_manager.get_or_create(**{self.field: name}, defaults=defaults)
        return user


def _user_model() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model()
