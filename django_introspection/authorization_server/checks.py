"""The system checks of an authorization server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import Error as DatabaseError
from django.db import router, transaction
from django.urls import NoReverseMatch, get_resolver, reverse

from ..cache_properties import is_private_cache
from ..check_messages import TAG, Messages, error, of_valid_settings, warning
from ..conf import introspection_settings, setting_problem
from ..exceptions import IntrospectionUnavailable, InvalidSetting
from ..jose import is_installed
from ..keys import signing_key
from ..models import AuthMethod
from ..own_tables import own_models, related_models
from ..protocol.metadata import contradictions
from ..setting_values import NAME
from .client_sources import client_sources, orphaned_policies
from .metadata import decided_members
from .views.introspect import IntrospectView

LONG_KEPT = 60
"""Seconds for which a client may be kept without a warning."""


def register() -> None:
    """Register the checks of an authorization server; a second call changes nothing."""
    for check in (check_client_sources, check_urls, check_metadata, check_leaks, check_tables):
        checks.register(check, TAG)
    for deploy_check in (
        check_issuer,
        check_client_policy,
        check_bearer_callers,
        check_kept_clients,
        check_counters,
    ):
        checks.register(deploy_check, TAG, deploy=True)
    for database_check in (check_policies, check_signed_answers):  # a run by our tag asks no database
        checks.register(database_check, checks.Tags.database, deploy=True)


@of_valid_settings
def check_leaks(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for alerts that cannot be verified (E073), and for messages that reach no one (W016)."""
    leaks = introspection_settings.LEAKS
    if leaks.alert_keys is not None and not is_installed():
        yield error("E073", f"{NAME}['LEAKS']['ALERT_KEYS'] needs a package that verifies signatures.")
    if "admins" in leaks.mail and not settings.ADMINS:
        yield warning("W016", f"{NAME}['LEAKS']['MAIL'] names the admins, and ADMINS is empty.")


@of_valid_settings
def check_issuer(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for an authorization server without a name (W002), or with one that is only for development (W034)."""
    issuer = introspection_settings.ISSUER
    if issuer is None:
        yield warning("W002", f"{NAME}['ISSUER'] is not set.")
    elif issuer.startswith("http:"):
        yield warning("W034", f"{NAME}['ISSUER'] is a plain http URL.")


@of_valid_settings
def check_urls(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for an authorization server whose endpoints (W050) or metadata (W052) are not in the URL conf."""
    if introspection_settings.ISSUER is None:
        return
    if not _is_routed("introspection:introspect"):
        if _is_view_routed(IntrospectView):  # at the address of another package
            return
        yield warning(
            "W050", "It does not include django_introspection.urls: no client can introspect.", "ROOT_URLCONF"
        )
    elif not _is_routed("introspection_well_known:authorization-server"):
        text = "It does not include django_introspection.well_known_urls: clients cannot find the endpoints by ISSUER."
        yield warning("W052", text, "ROOT_URLCONF")


@of_valid_settings
def check_metadata(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for members of METADATA that contradict this server (E070)."""
    further, issuer = introspection_settings.METADATA, introspection_settings.ISSUER
    if not further or issuer is None or not _is_routed("introspection_well_known:authorization-server"):
        return
    for name in contradictions(decided_members(issuer), further):
        yield error("E070", f"{NAME}['METADATA'][{name!r}] contradicts what this authorization server does.")


def _is_routed(name: str) -> bool:
    try:
        return bool(reverse(name))
    except NoReverseMatch:
        return False
    except Exception:  # noqa: BLE001 - a URL conf that is missing or cannot be imported; Django reports it
        return True


def _is_view_routed(view_class: type) -> bool:
    return any(getattr(callback, "cls", None) is view_class for callback in get_resolver().reverse_dict)


def check_client_sources(**_: Any) -> Messages:
    """Look for a source of clients that cannot be used (E030), and run the checks of each one."""
    if setting_problem("CLIENT_SOURCES"):
        return []
    try:
        return [message for source in client_sources() for message in source.check()]
    except InvalidSetting as invalid:
        return [error("E030", str(invalid))]


def check_tables(**_: Any) -> Messages:
    """Look for a table that is in another database than one that it refers to, such as that of the users (E031)."""
    messages: Messages = []
    for model in own_models():
        for other in sorted(related_models(model), key=lambda each: each._meta.label):
            here, there = router.db_for_write(model), router.db_for_write(other)
            if here != there:
                text = f"Its table is in the database {here!r}, and the table of {other._meta.label} in {there!r}."
                messages.append(error("E031", text, model._meta.label))
    return messages


@of_valid_settings
def check_client_policy(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for clients that may read every token although no row names them (W030)."""
    if introspection_settings.CLIENT_POLICY == "any":
        yield warning("W030", f"{NAME}['CLIENT_POLICY'] lets every client of another source read every access token.")


@of_valid_settings
def check_bearer_callers(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for callers that may authenticate with a token for another API (W033)."""
    if introspection_settings.BEARER_WITHOUT_AUDIENCE:
        text = f"{NAME}['BEARER_WITHOUT_AUDIENCE'] lets callers authenticate with tokens that name no audience."
        yield warning("W033", text)


@of_valid_settings
def check_kept_clients(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for clients that are kept for long (W032)."""
    seconds = introspection_settings.CLIENT_LOCAL_MAX_AGE
    if seconds > LONG_KEPT:
        yield warning("W032", f"{NAME}['CLIENT_LOCAL_MAX_AGE'] keeps the record of a client for {seconds} seconds.")


@of_valid_settings
def check_counters(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for counters in a cache that no other process sees (W040)."""
    place = introspection_settings.COUNTERS
    if place is not None and is_private_cache(place.alias):
        yield warning("W040", f"{NAME}['COUNTERS']['ALIAS'] names a cache that no other process sees.")


def check_policies(databases: Collection[str] | None = None, **_: Any) -> Messages:
    """Look for clients that may read every token (W010) and policies of no client (W031), if rows may be read."""
    return _of_clients(databases, _policy_messages)


def check_signed_answers(databases: Collection[str] | None = None, **_: Any) -> Messages:
    """Look for clients whose answers cannot be signed (E071), if rows may be read."""
    return _of_clients(databases, _signature_messages)


def _of_clients(databases: Collection[str] | None, check: Callable[[Any], Iterable[checks.CheckMessage]]) -> Messages:
    """Return the messages about the clients in the database, none if it may not be read or cannot answer."""
    model = apps.get_model("introspection", "Client")
    alias = router.db_for_read(model)
    if not databases or alias not in databases:
        return []
    try:
        with transaction.atomic(using=alias):  # a failed statement must not spoil a transaction around this
            return list(check(model._default_manager.using(alias)))
    except (DatabaseError, IntrospectionUnavailable):  # not migrated yet, or not there
        return []


def _policy_messages(clients: Any) -> Iterator[checks.CheckMessage]:
    unlimited = clients.filter(is_active=True, introspection_policy="any").order_by("pk")
    for client_id in unlimited.values_list("client_id", flat=True):
        yield warning("W010", f"The client {client_id!r} may read every access token.", "introspection.Client")
    for client_id, problem in _orphans(clients):
        yield warning("W031", f"The policy of {client_id!r} has no effect: {problem}.", "introspection.Client")


def _signature_messages(clients: Any) -> Iterator[checks.CheckMessage]:
    json = {"introspection_signed_response_alg": "", "introspection_encrypted_response_alg": ""}
    signed = clients.filter(is_active=True).exclude(**json).order_by("pk")
    with suppress(InvalidSetting):  # E002 and E005 report it
        for client_id, algorithm in signed.values_list("client_id", "introspection_signed_response_alg"):
            if signing_key(algorithm) is None:
                problem = f"there is no key for {algorithm or 'any algorithm'}, or no ISSUER"
                text = f"The client {client_id!r} gets no answers: {problem}."
                yield error("E071", text, "introspection.Client")


def _orphans(clients: Any) -> Iterator[tuple[str, str]]:
    if setting_problem("CLIENT_SOURCES"):  # E002 reports it
        return
    with suppress(InvalidSetting):  # E030 reports it
        for row, problem in orphaned_policies(clients.filter(token_endpoint_auth_method=AuthMethod.ELSEWHERE)):
            yield row.client_id, problem
