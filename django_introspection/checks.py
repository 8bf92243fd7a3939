"""The system checks of the settings, for both sides: a message that names the place, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from rest_framework.settings import api_settings

from .backends.registry import token_backends
from .check_messages import TAG, Messages, error, of_valid_settings, warning
from .conf import SETTING_NAMES, introspection_settings, setting_problem
from .exceptions import InvalidSetting
from .keys import read_keys
from .services.registry import services
from .setting_values import NAME, TrustedProxies, did_you_mean

WIDE_NETWORK = 8
"""A network whose prefix has fewer bits holds more than the proxies of a site."""
LONG_LEEWAY = 300


def register() -> None:
    """Register the checks of the settings; a second call changes nothing."""
    for check in (check_settings, check_backends, check_services, check_anonymous_user, check_keys, check_proxies):
        checks.register(check, TAG)
    for deploy_check in (check_deployed_backends, check_deployed_services, check_trust, check_leeway):
        checks.register(deploy_check, TAG, deploy=True)


def check_settings(**_: Any) -> Messages:
    """Look for unknown keys (E001) and invalid values (E002)."""
    if problem := setting_problem("values"):
        return [error("E002", str(problem))]
    unknown = sorted(map(str, introspection_settings.values.keys() - SETTING_NAMES))
    problems = filter(None, map(setting_problem, sorted(SETTING_NAMES)))
    return [
        *(error("E001", f"{NAME}[{key!r}] does not exist{did_you_mean(key, SETTING_NAMES)}.") for key in unknown),
        *(error("E002", str(problem)) for problem in problems),
    ]


@of_valid_settings
def check_backends(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for a token backend that cannot be made (E003)."""
    for alias in token_backends:
        if problem := token_backends.problem(alias):
            yield error("E003", str(problem))


@of_valid_settings
def check_deployed_backends(**_: Any) -> Iterator[checks.CheckMessage]:
    """Ask each token backend that the project configures what is risky in its settings."""
    if "BACKENDS" in introspection_settings.values:
        for backend in token_backends.made():
            yield from backend.check()


@of_valid_settings
def check_services(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for an entry of SERVICES that cannot be used (E007)."""
    for alias in services:
        if problem := services.problem(alias):
            yield error("E007", str(problem))


@of_valid_settings
def check_deployed_services(**_: Any) -> Iterator[checks.CheckMessage]:
    """Ask each service what is risky in its settings."""
    for service in services.made():
        yield from service.check()


@of_valid_settings
def check_anonymous_user(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for the anonymous user of a contrib.auth that is not installed (E004)."""
    path = api_settings.user_settings.get("UNAUTHENTICATED_USER", api_settings.defaults["UNAUTHENTICATED_USER"])
    if path == api_settings.defaults["UNAUTHENTICATED_USER"] and not apps.is_installed("django.contrib.auth"):
        yield error("E004", "It needs django.contrib.auth for requests without a user.", "REST_FRAMEWORK")


def check_keys(**_: Any) -> Messages:
    """Look for a signing key that cannot be used (E005)."""
    if setting_problem("SIGNING_KEYS"):
        return []
    try:
        read_keys(introspection_settings.SIGNING_KEYS)
    except InvalidSetting as invalid:
        return [error("E005", str(invalid))]
    return []


@of_valid_settings
def check_proxies(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for certificates in a header that counts from no proxy (E072)."""
    source = introspection_settings.CLIENT_CERTIFICATES
    if source is not None and source.header and TrustedProxies() == introspection_settings.TRUSTED_PROXIES:
        text = f"{NAME}['CLIENT_CERTIFICATES'] names a header, and {NAME}['TRUSTED_PROXIES'] names no proxy."
        yield error("E072", text)


@of_valid_settings
def check_trust(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for networks of strangers among the trusted proxies, who could choose address and certificate (W003)."""
    for network in introspection_settings.TRUSTED_PROXIES.networks:
        if network.prefixlen < WIDE_NETWORK:
            yield warning("W003", f"{NAME}['TRUSTED_PROXIES'] trusts {network}: any sender can claim an address.")


@of_valid_settings
def check_leeway(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for tokens that are accepted long after they have expired (W009)."""
    seconds = introspection_settings.LEEWAY
    if seconds > LONG_LEEWAY:
        yield warning("W009", f"{NAME}['LEEWAY'] accepts tokens for {seconds} seconds after they have expired.")
