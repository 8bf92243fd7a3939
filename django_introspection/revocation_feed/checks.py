"""The system checks of the feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks

from ..backends.registry import token_backends
from ..cache_properties import has_channels, use_problem
from ..check_messages import TAG, error, of_valid_settings
from ..conf import introspection_settings
from ..setting_values import NAME


def register() -> None:
    """Register the checks; a second call changes nothing."""
    for check in (check_app, check_source, check_channel):
        checks.register(check, TAG)


def check_app(**_: Any) -> list[checks.CheckMessage]:
    """Look for a feed without the app whose tokens it is about (E090)."""
    if apps.is_installed("django_introspection"):
        return []
    return [error("E090", "'django_introspection.revocation_feed' needs the tables of 'django_introspection'.")]


@of_valid_settings
def check_source(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for a source of tokens whose revocations the feed cannot know (E091)."""
    alias = introspection_settings.INTROSPECTION_BACKEND
    if alias is None:
        return
    kind = token_backends.kind(alias)
    if kind.is_remote or kind.is_router:
        text = f"{NAME}['INTROSPECTION_BACKEND'] names tokens of other servers, which end without this feed."
        yield error("E091", text)


@of_valid_settings
def check_channel(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for a cache of the feed that has no channels (E092)."""
    alias = introspection_settings.REVOCATION_FEED.ALIAS
    if alias is not None and use_problem(alias) is None and not has_channels(alias):
        text = f"{NAME}['REVOCATION_FEED']['ALIAS'] names {alias!r}, which is no cache on a Redis that publishes."
        yield error("E092", text)
