"""The resolver that takes users of this project's own table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.db import router
from django.db.models import NOT_PROVIDED, AutoField, CharField, Field, Model, TextField
from django.db.models.manager import BaseManager
from django.http import HttpRequest

from ..protocol.answer import Inactive, Reason
from ..protocol.opaque import has_control_characters
from ..protocol.principal import Kind, is_marked_as_client
from .users import TokenUser

IDENTITY = "identity"
CREATE = ("never", "on_write", "always")
NO_USER = frozenset({"client_id", "azp", "cid", "appid", "iss"})
"""Claims that name a client or an issuer, so that all their users would be one."""
MAX_NAME = 255
"""Characters of a name, if the field does not say how many it holds."""
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
        value = _value_of(_user_model()._meta.get_field(self.field), name)
        if value is None:
            return None
        user = self._find(value)
        if user is None and self.create != "never":
            if self._is_hidden(value):
                return None
            if self.create == "on_write" and request.method in SAFE_METHODS:
                return token_user
            user = self._find_or_create(value)
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
            model = _user_model()
            field = model._meta.get_field(self.field)
        except (FieldDoesNotExist, ImproperlyConfigured):
            return f"the user model has no field {self.field!r}"
        if not getattr(field, "unique", False):
            return f"the field {self.field!r} of the user model is not unique"
        if not self.names_by_claim and not _holds_uuid(field):
            return f"the field {self.field!r} of the user model cannot hold a UUID, which 'identity' is"
        missing = [] if self.create == "never" else list(self._missing_in_new_row(model))
        return f"'create' cannot fill the unique fields {', '.join(missing)} of the user model" if missing else None

    def _missing_in_new_row(self, model: Any) -> Iterator[str]:
        """Name the unique fields that would be empty in each new row, so that there could be one such row at most."""
        from django.contrib.auth.base_user import AbstractBaseUser

        if model.save not in (AbstractBaseUser.save, Model.save):  # it may fill them
            return
        for field in model._meta.concrete_fields:
            is_key = isinstance(field, AutoField) or getattr(field.remote_field, "parent_link", False)
            is_known = field.name == self.field or (field.name == model.USERNAME_FIELD and _holds_uuid(field))
            if field.unique and not (is_key or is_known or _has_own_values(field) or field.null):
                yield repr(field.name)

    def _find(self, value: Any) -> Any:
        model = _user_model()
        try:
            return model._default_manager.get(**{self.field: value})
        except (model.DoesNotExist, model.MultipleObjectsReturned):
            return None

    def _is_hidden(self, value: Any) -> bool:
        """Return whether there is a row that the default manager does not show, such as one that counts as deleted."""
        model = _user_model()
        shown, stored = model._default_manager, model._base_manager
        if type(shown).get_queryset is BaseManager.get_queryset:
            return False
        stored, shown = (
            rows.using(router.db_for_write(model)).filter(**{self.field: value}) for rows in (stored, shown)
        )
        return stored.exists() and not shown.exists()  # in this order: another request may make the row meanwhile

    def _find_or_create(self, value: Any) -> Any:
        """Make a user without a password; of two first requests at once, one makes it and both find it."""
        from django.contrib.auth.hashers import make_password

        model = _user_model()
        defaults = {"password": make_password(None)} if hasattr(model, "password") else {}
        if self.field != model.USERNAME_FIELD and not _has_own_values(model._meta.get_field(model.USERNAME_FIELD)):
            defaults[model.USERNAME_FIELD] = str(uuid4())  # it is unique, and no other person can have this name
        user, _ = model._default_manager.get_or_create(**{self.field: value}, defaults=defaults)
        return user


def _value_of(field: Any, name: Any) -> Any:
    """Return the value of a field that is written as this name, None if the field cannot hold such a value.

    Of the ways to write a UUID or a number, such as "42" and "042", one alone is the name of its user.
    """
    is_text = isinstance(field, (CharField, TextField))
    longest = (is_text and field.max_length) or MAX_NAME
    if not isinstance(name, str) or not name or len(name) > longest or has_control_characters(name):
        return None
    if is_text:
        return name
    try:
        value = field.to_python(name)
        field.run_validators(value)
    except ValidationError:
        return None
    return value if str(value) == name else None


def _has_own_values(field: Any) -> bool:
    """Return whether a field gets another value in each new row by itself; one constant is the same in all of them."""
    is_computed = field.generated or type(field).pre_save is not Field.pre_save
    return is_computed or field.db_default is not NOT_PROVIDED or (field.has_default() and callable(field.default))


def _holds_uuid(field: Any) -> bool:
    return _value_of(field, str(uuid4())) is not None


def _user_model() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model()
