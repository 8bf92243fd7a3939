"""What is wrong with the settings, at start-up: a message that names the place, never a traceback."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.core import checks
from django.db import Error as DatabaseError
from django.db import router, transaction
from rest_framework.settings import api_settings

from . import jose
from .backends.base import TokenBackend
from .backends.registry import token_backends
from .check_messages import TAG, error, warning
from .conf import NAME, SETTING_NAMES, are_schemes, introspection_settings, is_private_cache
from .exceptions import InvalidSetting
from .keys import read_keys
from .protocol.presented import DPOP

Messages = list[checks.CheckMessage]


def register() -> None:
    """Register every check; both apps call this, and a second call changes nothing."""
    for check in (
        check_settings,
        check_backends,
        check_anonymous_user,
        check_keys,
        check_protection,
        check_client_sources,
    ):
        checks.register(check, TAG)
    for deploy_check in (
        check_deployed_backends,
        check_issuer,
        check_revocations,
        check_replay_cache,
        check_client_policy,
        check_counters,
    ):
        checks.register(deploy_check, TAG, deploy=True)
    checks.register(check_policies, checks.Tags.database, deploy=True)  # a run by our tag asks no database


def check_settings(**_: Any) -> Messages:
    """Look for unknown keys (E001) and wrong values (E002)."""
    try:
        unknown = sorted(map(str, introspection_settings.values.keys() - SETTING_NAMES))
    except InvalidSetting as invalid:
        return [error("E002", str(invalid))]
    messages: Messages = [error("E001", f"{NAME}[{key!r}]: there is no such setting") for key in unknown]
    for key in sorted(SETTING_NAMES):
        try:
            getattr(introspection_settings, key)
        except InvalidSetting as invalid:
            messages.append(error("E002", str(invalid)))
    return messages


def check_backends(**_: Any) -> Messages:
    """Look for a token backend that cannot be made (E003)."""
    return [error("E003", str(made)) for made in _made_backends() if isinstance(made, InvalidSetting)]


def check_deployed_backends(**_: Any) -> Messages:
    """Ask each token backend that somebody configured what is risky in its settings."""
    try:
        configured = "BACKENDS" in introspection_settings.values
    except InvalidSetting:  # E002 says so
        return []
    if not configured:
        return []
    return [message for made in _made_backends() if isinstance(made, TokenBackend) for message in made.check()]


def check_anonymous_user(**_: Any) -> Messages:
    """Look for the anonymous user of a contrib.auth that is not installed (E004)."""
    if apps.is_installed("django.contrib.auth"):
        return []
    path = api_settings.user_settings.get("UNAUTHENTICATED_USER", api_settings.defaults["UNAUTHENTICATED_USER"])
    if path != api_settings.defaults["UNAUTHENTICATED_USER"]:
        return []
    return [error("E004", "rest_framework needs django.contrib.auth for requests without a user")]


def check_protection(**_: Any) -> Messages:
    """Look at the middleware, the users, the views and the metadata of a resource server."""
    from .resource_server.checks import CHECKS

    return [message for check in CHECKS for message in check()]


def check_issuer(**_: Any) -> Messages:
    """Look for an authorization server without a name (W002)."""
    try:
        named = introspection_settings.ISSUER is not None
    except InvalidSetting:  # E002 says so
        return []
    if named or not apps.is_installed("django_introspection"):
        return []
    return [warning("W002", f"{NAME}['ISSUER'] is not set")]


def check_policies(databases: Collection[str] | None = None, **_: Any) -> Messages:
    """Look for clients that are told about every token (W010), where the database may be asked."""
    if not databases or not apps.is_installed("django_introspection"):
        return []
    model = apps.get_model("introspection", "Client")
    alias = router.db_for_read(model)
    if alias not in databases:
        return []
    told_everything = model._default_manager.using(alias).filter(is_active=True, introspection_policy="any")
    try:
        with transaction.atomic(using=alias):  # a failed statement must not spoil a transaction around this
            client_ids = list(told_everything.order_by("pk").values_list("client_id", flat=True))
    except DatabaseError:  # not migrated yet, or not there
        return []
    return [warning("W010", f"the client {client_id!r} is told about every access token") for client_id in client_ids]


def check_revocations(**_: Any) -> Messages:
    """Look for tombstones in a cache that no other process sees (W003)."""
    try:
        place = introspection_settings.REVOCATIONS
    except InvalidSetting:  # E002 says so
        return []
    if place is None or not is_private_cache(place.alias):
        return []
    return [warning("W003", f"{NAME}['REVOCATIONS']['ALIAS']: no other process sees this cache")]


def check_keys(**_: Any) -> Messages:
    """Look for a signing key that cannot be used (E005)."""
    try:
        entries = introspection_settings.SIGNING_KEYS
    except InvalidSetting:  # E002 says so
        return []
    try:
        read_keys(entries)
    except InvalidSetting as invalid:
        return [error("E005", str(invalid))]
    return []


def check_client_sources(**_: Any) -> Messages:
    """Look for a source of clients that cannot be used (E030), and ask each one."""
    if not apps.is_installed("django_introspection"):
        return []
    from .authorization_server.client_sources import client_sources

    try:
        return [message for source in client_sources() for message in source.check()]
    except InvalidSetting as invalid:
        return [] if _is_wrong("CLIENT_SOURCES") else [error("E030", str(invalid))]


def check_client_policy(**_: Any) -> Messages:
    """Look for clients that are told about every token although nobody named them (W030)."""
    if _is_wrong("CLIENT_POLICY") or introspection_settings.CLIENT_POLICY != "any":
        return []
    return [
        warning("W030", f"{NAME}['CLIENT_POLICY']: every client of another source is told about every access token")
    ]


def _is_wrong(key: str) -> bool:
    """Tell whether E002 speaks of a setting."""
    try:
        getattr(introspection_settings, key)
    except InvalidSetting:
        return True
    return False


def check_replay_cache(**_: Any) -> Messages:
    """Look for a cache in which each process would take the same assertion or proof once (E006)."""
    from .resource_server.protected_views import protected_places

    try:
        alias, issuer = introspection_settings.REPLAY_CACHE, introspection_settings.ISSUER
    except InvalidSetting:  # E002 says so
        return []
    if not is_private_cache(alias):
        return []
    assertions = issuer is not None and jose.is_installed() and apps.is_installed("django_introspection")
    proofs = any(DPOP in each.schemes for each in protected_places() if are_schemes(each.schemes))
    return [
        error("E006", f"{NAME}['REPLAY_CACHE']: each process would take the same {what} once")
        for what, used in (("client assertion", assertions), ("DPoP proof", proofs))
        if used
    ]


def check_counters(**_: Any) -> Messages:
    """Look for counters in a cache that no other process sees (W040)."""
    try:
        place = introspection_settings.COUNTERS
    except InvalidSetting:  # E002 says so
        return []
    if place is None or not is_private_cache(place.alias):
        return []
    return [warning("W040", f"{NAME}['COUNTERS']['ALIAS']: no other process sees this cache")]


def _made_backends() -> list[TokenBackend | InvalidSetting]:
    """Make a backend of each alias, apart from those in use, and close it again."""
    made: list[TokenBackend | InvalidSetting] = []
    try:
        aliases = list(token_backends)
    except InvalidSetting:  # E002 says so
        return []
    for alias in aliases:
        try:
            backend = token_backends.create(alias)
        except InvalidSetting as invalid:
            made.append(invalid)
        else:
            backend.close()
            made.append(backend)
    return made
