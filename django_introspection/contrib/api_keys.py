"""API keys of djangorestframework-api-key, as they are in its table or in that of a model of the project.

A key stands for a program, without a user. It is found by its prefix, and compared with its SHA-512 hash. A key that
was made by an earlier release has a password hash: it is hashed within bounds, and then kept as SHA-512, as by the
package itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import router
from django.db.models import Exists, OuterRef
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager

from ..backends.options import Options
from ..backends.subjects import client_subject
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable, TemporarilyUnavailable, TooManyRequests
from ..revocations import Tombstone
from .hashed_secrets import HashedSecrets
from .project_tokens import ProjectTokenBackend, is_over, tombstone_expiry
from .seen_tokens import identity_of, remember
from .watching import Watch

__all__ = ["APIKeyBackend", "write_tombstones"]
KIND = "api_key"
MODEL = "rest_framework_api_key.APIKey"


class APIKeyBackend(ProjectTokenBackend):
    """Look keys up by their prefix: one statement. The option `model` names another model of keys."""

    def configure(self, options: Options) -> None:
        """Take the model; raises InvalidBackend."""
        super().configure(options)
        name = options.string("model") or MODEL
        try:
            self._model: Any = apps.get_model(name)
        except (LookupError, ValueError):
            raise options.invalid(
                "model", "must be the label of an installed model, such as 'shop.PartnerKey'"
            ) from None
        if not issubclass(self._model, AbstractAPIKey):
            raise options.invalid("model", "must be the label of a model of API keys")
        self._secrets = HashedSecrets()
        self._has_rules = _has_rules(self._model)

    def look_up(self, token: str) -> Answer:
        """Return the meaning of a value; one without a dot, or with a long prefix, takes no statement."""
        prefix, dot, _secret = token.partition(".")
        if not dot or not 0 < len(prefix) <= self._model._meta.get_field("prefix").max_length:
            return Inactive(Reason.UNKNOWN)
        row = self._row(prefix)
        if row is None or not self._is_key_of(row, token):
            return Inactive(Reason.UNKNOWN)
        answer = self._judge(row, token)
        if answer and remember(KIND, prefix, token, tombstone_expiry(row.expiry_date)):
            row = self._row(prefix)
            return Inactive(Reason.UNKNOWN) if row is None else self._judge(row, token)
        return answer

    def _row(self, prefix: str) -> Any:
        usable = self._model.objects.get_usable_keys().using(self._using).filter(pk=OuterRef("pk"))
        rows = self._model._default_manager.using(self._using).filter(prefix=prefix).annotate(is_usable=Exists(usable))
        row = next(iter(rows[:1]), None)
        return row if row is not None and row.prefix == prefix else None

    @property
    def _using(self) -> str:
        return router.db_for_write(self._model)

    def _judge(self, row: Any, token: str) -> Answer:
        if row.revoked:
            return Inactive(Reason.REVOKED)
        if not row.is_usable:  # a rule of the project in get_usable_keys()
            return Inactive(Reason.UNKNOWN)
        if is_over(row.expiry_date):
            return Inactive(Reason.EXPIRED)
        if self._has_rules and not self._model.objects.db_manager(self._using).is_valid(token):
            return Inactive(Reason.UNKNOWN)
        client_id = f"{KIND}:{row.prefix}"
        members = {"client_id": client_id, "sub": client_subject(client_id)}
        return self.active(members, None, created=row.created, expires=row.expiry_date)

    def _is_key_of(self, row: Any, token: str) -> bool:
        """Compare a key with its hash; raises IntrospectionUnavailable instead of hashing beyond the bounds."""
        generator = self._model.objects.key_generator
        if generator.using_preferred_hasher(row.hashed_key):
            return bool(generator.verify(token, row.hashed_key))
        try:
            is_right = self._secrets.is_right(token, row.hashed_key, client_id=row.prefix, address="")
        except TooManyRequests as refusal:
            raise IntrospectionUnavailable("too many keys to hash", retry_after=refusal.retry_after) from None
        except TemporarilyUnavailable:
            raise IntrospectionUnavailable("too many keys to hash") from None
        if is_right and not row.revoked:
            row.hashed_key = generator.hash(token)
            row.save(update_fields=["hashed_key"])
        return is_right


def _has_rules(model: type[AbstractAPIKey]) -> bool:
    """Return whether a model or its manager decides in another way than the package's own."""
    pairs = [(type(model.objects), BaseAPIKeyManager, name) for name in ("is_valid", "get_from_key")]
    pairs += [(model, AbstractAPIKey, name) for name in ("is_valid", "has_expired")]
    return any(getattr(own, name) is not getattr(base, name) for own, base, name in pairs)


def connect() -> None:
    """Watch the keys of every model; calling it again changes nothing."""
    for model in apps.get_models():
        if issubclass(model, AbstractAPIKey):
            _watch.connect(model)


def write_tombstones(keys: Iterable[Any]) -> None:
    """Write the tombstones of keys that end without a signal, revoked ones too; raises IntrospectionUnavailable."""
    _any_key.write_tombstones(keys)


def _mark_of_any(key: Any) -> Tombstone | None:
    """Name a key by its prefix, from which the identity is found when it ends."""
    return Tombstone(str(key.prefix).encode(), tombstone_expiry(key.expiry_date)) if key.prefix else None


def _mark(key: Any) -> Tombstone | None:
    return None if key.revoked else _mark_of_any(key)


_COLUMNS = {"prefix", "revoked", "expiry_date"}
_watch = Watch(_mark, _COLUMNS, identity_of(KIND))
_any_key = Watch(_mark_of_any, _COLUMNS, identity_of(KIND))
