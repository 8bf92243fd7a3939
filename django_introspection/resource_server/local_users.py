"""The resolver that takes users of this project's own table."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.http import HttpRequest

from ..protocol.answer import Inactive, Reason
from ..protocol.opaque import has_control_characters
from ..protocol.principal import Kind, is_marked_as_client
from .users import TokenUser

IDENTITY = "identity"
CREATE = ("never", "on_write", "always")
NO_USER = frozenset({"client_id", "azp", "cid", "appid", "iss"})
"""Claims that name a client or an issuer, so that all their users would be one."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class LocalUser:
    """Take the local user whose `field` is the `claim` of the token; a client that acts for itself stays a TokenUser.

    `claim` is a member of the answer, or "identity": the UUID made of issuer and name, which no other issuer can
    produce. `create` decides when a new user gets a row: "never" (the token is refused), "on_write" (with the first
    request that may change something, a TokenUser until then) or "always". Without `allow_staff` a user who is staff or
    superuser is refused, because the other server could choose their names.
    """

    def __init__(
        self, *, claim: Any = IDENTITY, field: Any = "username", create: Any = CREATE[0], allow_staff: Any = False
    ) -> None:
        if not all(isinstance(name, str) and name for name in (claim, field)):
            raise ValueError("'claim' and 'field' must be names")
        if claim in NO_USER:
            raise ValueError(f"'claim' must name a user, and {claim!r} does not")
        if create not in CREATE:
            raise ValueError(f"'create' must be one of {', '.join(CREATE)}")
        if allow_staff not in (True, False):
            raise ValueError("'allow_staff' must be True or False")
        self.claim, self.field, self.create, self.allow_staff = claim, field, create, allow_staff

    @property
    def names_by_claim(self) -> bool:
        """Whether a claim names the user, which an issuer can fill as it likes."""
        return bool(self.claim != IDENTITY)

    def __call__(self, token_user: TokenUser, request: HttpRequest) -> Any:
        """Return the user; None or an Inactive if the token opens nothing here."""
        name = self._name(token_user)
        if name is None and token_user.is_client:
            return token_user
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

    def _name(self, token_user: TokenUser) -> Any:
        """Return the value to look up, None if there is none.

        A token without `sub` and user name counts as a client's, but not if it has the claim that names a user. Other
        evidence of a client, such as its own `sub`, always counts.
        """
        info = token_user.token_info
        has_evidence = info.sub is not None or is_marked_as_client(info)
        if token_user.is_client and (has_evidence or self.claim == IDENTITY):
            return None
        if self.claim != IDENTITY:
            return info.get(self.claim)
        return None if token_user.principal.kind == Kind.TOKEN else str(token_user.pk)

    def problem(self) -> str | None:
        """Return why this cannot work with the user model of the project, None if it can."""
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
