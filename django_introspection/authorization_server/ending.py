"""Tombstones for tokens that end in other ways than by being revoked.

Rows are deleted, clients and users are deleted or disabled, passwords change. Django's signals report these for single
objects and for `QuerySet.delete()`, not for `QuerySet.update()` and SQL: the command `introspection_token
restore-tombstones` writes the tombstones of clients and users that were disabled in those ways.

Disabling can be undone, so it revokes nothing: its tombstones are removed when the client or the user is enabled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.models import Model, QuerySet
from django.db.models.signals import post_save, pre_delete, pre_save

from .. import revocations
from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..models.locking import lock_in_order, lock_owner
from ..protocol.errors import IntrospectionUnavailable
from .restoring import ended_tokens
from .revoking import revoke_exchanged, revoke_user_tokens

logger = logging.getLogger("django_introspection")

BATCH = 1000
"""Tokens of one statement and of one call to the cache."""
DELETION = "deletion of its client or user, or of the token that it was exchanged for"
PASSWORD_CHANGE = "change of password"
LEAK = "report of a leak"
"""The texts in `revoked_by` of tokens that end here."""
_BEFORE = "_introspection_before"


def connect() -> None:
    """Watch clients and users; calling it again changes nothing."""
    try:
        owners = ((Client, "client"), (get_user_model(), "user"))
    except ImproperlyConfigured:  # no such user model: Django's own checks report it
        return
    for owner, field in owners:
        for model in apps.get_models():
            if model._meta.concrete_model is owner._meta.concrete_model:  # signals of a proxy have the proxy as sender
                _watch(model, field)


def _watch(model: type[Model], field: str) -> None:
    for signal, receiver in ((pre_delete, _before_delete), (pre_save, _before_save), (post_save, _after_save)):
        name = f"{__name__}.{receiver.__name__}"
        signal.connect(partial(receiver, field), sender=model, dispatch_uid=name, weak=False)


def write_tombstones(tokens: QuerySet[Token]) -> None:
    """Write the tombstones of the access tokens among these that could still be accepted, in pages.

    Raises IntrospectionUnavailable.
    """
    if revocations.are_ends_wanted():
        for page in pages(tokens.filter(kind=TokenKind.ACCESS, expires_at__gt=now())):
            _end(page)


def _end(tokens: list[Token]) -> None:
    """Record that access tokens end, and write their tombstones; raises IntrospectionUnavailable."""
    revocations.record_end(tokens)
    revocations.write_tombstones(tokens)


def before_deletion(tokens: QuerySet[Token]) -> None:
    """Write the tombstones of tokens that are about to be deleted, and revoke what was exchanged for them.

    Raises IntrospectionUnavailable.
    """
    write_tombstones(tokens)
    end_exchanged(tokens)


def end_exchanged(tokens: QuerySet[Token]) -> None:
    """Revoke what was exchanged for tokens that are about to be deleted; raises IntrospectionUnavailable."""
    revoke_exchanged(tokens, who=DELETION)


def delete_in_pages(tokens: QuerySet[Token], delete: Callable[[QuerySet[Token]], tuple[int, Mapping[str, int]]]) -> Any:
    """Delete tokens, each page after its tombstones were written, and return what `QuerySet.delete` returns.

    Raises IntrospectionUnavailable, and then nothing is deleted.
    """
    total, by_model = 0, {Token._meta.label: 0}
    everything = Token.objects.using(tokens.db)
    with transaction.atomic(using=tokens.db):
        for page in pages(tokens):
            at = now()
            _end([token for token in page if token.kind == TokenKind.ACCESS and token.expires_at > at])
            chosen = everything.filter(pk__in=[token.pk for token in page])
            lock_in_order(chosen)
            deleted, counts = delete(chosen)
            total += deleted
            for label, count in counts.items():
                by_model[label] = by_model.get(label, 0) + count
    return total, by_model if total else {}


def pages(tokens: QuerySet[Token]) -> Iterator[list[Token]]:
    """Yield tokens in the order of their keys, with what a tombstone needs; they may be deleted meanwhile."""
    # client and user, because a related manager would otherwise fetch them for each token
    rest = tokens.only("digest", "kind", "expires_at", "client", "user").order_by("pk")
    page = list(rest[:BATCH])
    while page:
        yield page
        page = list(rest.filter(pk__gt=page[-1].pk)[:BATCH]) if len(page) == BATCH else []


def are_tombstones_written() -> bool:
    """Return whether tombstones can be written now, True without REVOCATIONS."""
    try:
        revocations.whole_since()
    except IntrospectionUnavailable:
        return False
    return True


def are_caches_behind() -> bool:
    """Return whether this process has ended tokens whose tombstones could not be written yet."""
    return revocations.write_failed.is_set()


def follow_state(field: str, pk: Any, using: str) -> None:
    """Write or remove the tombstones of a client's or a user's tokens after it was disabled or enabled.

    Raises IntrospectionUnavailable. A token that is revoked meanwhile keeps its tombstone: it is written again.
    """
    own = Token.objects.using(using).filter(**{field: pk}, kind=TokenKind.ACCESS, expires_at__gt=now())
    for page in pages(own):
        chosen = {token.pk: token for token in page}
        ended = ended_tokens().using(using).filter(pk__in=chosen)
        dead = set(ended.values_list("pk", flat=True))
        active = [token for pk, token in chosen.items() if pk not in dead]
        revocations.record_return(active)
        revocations.remove_tombstones(active)
        rest = list(ended.only("digest", "expires_at"))
        revocations.record_end(rest, again=True)
        revocations.write_tombstones(rest)


def end_if_disabled(token: Token) -> None:
    """Record the end of a new JWT, and write its tombstone, if its client or user was disabled while it was made.

    `follow_state` finds no token that is stored after its look. This look follows the commit of the token, so one of
    the two finds it. An opaque token needs neither: the endpoint has never answered that it is active. Raises
    IntrospectionUnavailable.
    """
    ended = list(ended_tokens().filter(pk=token.pk).only("digest", "expires_at"))
    revocations.record_end(ended, again=True)
    revocations.write_tombstones(ended)


def _record_disabled(field: str, pk: Any, using: str) -> None:
    """Record the end of the tokens of a client or user before it is disabled.

    A process that dies after the save could not do it any more. A save that fails afterwards leaves tokens recorded
    that are active: a resource server asks about them.
    """
    if revocations.recorders:
        own = Token.objects.using(using).filter(**{field: pk}, kind=TokenKind.ACCESS, expires_at__gt=now())
        for page in pages(own):
            revocations.record_end(page, again=True)


def _before_delete(field: str, instance: Any, using: str, **_: Any) -> None:
    """Write the tombstones of all tokens that are about to be deleted; raises IntrospectionUnavailable.

    The owner is locked first: that waits for every refresh, exchange and issue under way, and the next ones wait for
    the deletion. SQLite has one writer at a time, which begins with a write.
    """
    own = Token.objects.using(using).filter(**{field: instance.pk})
    lock_owner(instance, using)
    lock_in_order(own)
    own.filter(kind=TokenKind.REFRESH, revoked_at=None).update(revoked_at=now(), revoked_by=DELETION)
    before_deletion(own)


def _before_save(field: str, instance: Any, using: str, raw: bool, update_fields: Any, **_: Any) -> None:
    """Remember what the row was, if a field changes that tokens depend on."""
    vars(instance).pop(_BEFORE, None)
    watched = _watched_fields(type(instance))
    if update_fields is not None:
        watched &= set(update_fields)
    if raw or not watched or instance._state.adding:
        return
    row = type(instance)._base_manager.using(using).filter(pk=instance.pk)
    features = connections[using].features
    if "password" in watched and connections[using].in_atomic_block and features.has_select_for_update:
        row = row.select_for_update(no_key=features.has_select_for_no_key_update)  # before its tokens are locked
    before = vars(instance)[_BEFORE] = row.values(*watched).first() or {}
    if _must_follow(instance, before):
        if not instance.is_active:
            _record_disabled(field, instance.pk, using)
        _note_change(f"{field}:{instance.pk}")
    if "password" in before and _has_new_password(instance, before["password"], update_fields):
        _revoke_for_new_password(instance, using)  # a process that dies after the save cannot do it any more


def _watched_fields(model: type[Model]) -> set[str]:
    wanted = set()
    if revocations.are_ends_wanted():
        wanted.add("is_active")
    if introspection_settings.REVOKE_ON_PASSWORD_CHANGE:
        wanted.add("password")
    return wanted & {field.name for field in model._meta.concrete_fields}


def _after_save(field: str, instance: Any, using: str, update_fields: Any, **_: Any) -> None:
    before = vars(instance).pop(_BEFORE, None) or {}
    if _must_follow(instance, before):
        transaction.on_commit(partial(_follow_state_later, field, instance.pk, using), using=using)
    if "password" in before and _has_new_password(instance, before["password"], update_fields):
        _revoke_for_new_password(instance, using)  # again: tokens may have been issued meanwhile


def _must_follow(instance: Any, before: Mapping[str, Any]) -> bool:
    """Return whether tombstones follow a save. They are written again if a client or user is disabled again."""
    return "is_active" in before and (before["is_active"] != instance.is_active or not instance.is_active)


def _note_change(owner: str) -> None:
    """Let a process that looks at the cache later finish what this one begins, if it dies."""
    try:
        revocations.begin_change(owner)
    except IntrospectionUnavailable:
        revocations.write_failed.set()


def _revoke_for_new_password(user: Any, using: str) -> None:
    try:
        revoke_user_tokens(user, by=None, who=PASSWORD_CHANGE, using=using)
    except IntrospectionUnavailable:
        logger.error("the tokens of a user with a new password are revoked; caches follow when they answer again")


def _follow_state_later(field: str, pk: Any, using: str) -> None:
    """Let the change of the row stand if the cache does not answer: the tombstones are restored later."""
    try:
        follow_state(field, pk, using)
        revocations.end_change(f"{field}:{pk}")
    except IntrospectionUnavailable:
        revocations.write_failed.set()
        logger.error("a client or user was disabled or enabled; caches follow when they answer again")


def _has_new_password(user: Any, before: str, update_fields: Any) -> bool:
    """Return whether a password changed: one that is only hashed anew is saved alone, at login, without its value."""
    if user.password == before:
        return False
    if not hasattr(user, "_password"):  # a user model that is not made of Django's base class
        return True
    is_hashed_anew = update_fields is not None and set(update_fields) == {"password"} and user._password is None
    return not is_hashed_anew or not user.has_usable_password()
