"""The names that users import, and where from."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

import django_introspection
from django_introspection import exceptions, services
from tests.public_names import MODULES, RECORDED, ROOT, notes, public_names

NAMES = {
    "django_introspection": {"TokenInfo", "aintrospect", "introspect", "token_backends"},
    "django_introspection.authentication": {"IntrospectionAuthentication", "presented_token"},
    "django_introspection.decorators": {"token_required"},
    "django_introspection.forward_auth": {"verify"},
    "django_introspection.middleware": {"ProtectedPaths"},
    "django_introspection.permissions": {
        "HasScope",
        "requires_authorization_details",
        "requires_claim",
        "requires_scope",
        "requires_step_up",
    },
    "django_introspection.throttling": {"ClientRateThrottle"},
    "django_introspection.types": {"AuthenticatedHttpRequest", "AuthenticatedRequest", "TokenInfoMixin"},
    "django_introspection.services": {
        "ObtainedToken",
        "aexchange_token",
        "aservice_token",
        "exchange_token",
        "service_token",
    },
    "django_introspection.models": {
        "AccessTokenFormat",
        "AuthMethod",
        "Client",
        "ClientSecret",
        "GrantType",
        "IntrospectionPolicy",
        "Token",
        "TokenKind",
    },
    "django_introspection.backends": {
        "DatabaseBackend",
        "JWTBackend",
        "RemoteBackend",
        "RoutingBackend",
        "TokenBackend",
    },
    "django_introspection.testing": {
        "Challenge",
        "FakeAuthorizationServer",
        "ReceivedRequest",
        "assert_challenge",
        "assert_unauthorized",
        "assert_unavailable",
        "authenticate",
        "bearer",
        "fake_tokens",
        "inactive",
        "token",
        "unavailable",
    },
    "django_introspection.exceptions": {
        "ExchangeRefused",
        "IntrospectionError",
        "IntrospectionUnavailable",
        "InvalidBackend",
        "InvalidDeclaration",
        "InvalidResponse",
        "InvalidSetting",
        "UnknownBackend",
        "UnknownService",
    },
}


@pytest.mark.parametrize(("module", "names"), NAMES.items(), ids=NAMES)
def test_a_face_offers_these_names_and_each_is_there(module: str, names: set[str]) -> None:
    face = import_module(module)

    assert set(face.__all__) == names
    assert all(getattr(face, name) is not None for name in names)


@pytest.mark.parametrize(("module", "names"), NAMES.items(), ids=NAMES)
def test_every_public_class_and_function_says_what_it_is(module: str, names: set[str]) -> None:
    face = import_module(module)
    undocumented = [
        name
        for name in names
        if (inspect.isclass(value := getattr(face, name)) or inspect.isfunction(value)) and not inspect.getdoc(value)
    ]

    assert undocumented == []


def test_a_name_that_was_added_after_0_1_says_when() -> None:
    """CONTRIBUTING.md says how; before 0.1 is released, `python -m tests.public_names` records the names anew."""
    recorded = set(RECORDED.read_text().splitlines())
    pages = [note for page in (ROOT / "docs").rglob("*.rst") for note in notes(page.read_text())]

    assert recorded - public_names() == set(), "a name of 0.1 is gone"
    assert [name for name in sorted(public_names() - recorded) if not says_when(name, pages)] == []


def says_when(name: str, pages: list[str]) -> bool:
    """Return whether the docstring of a name has a note, or whether a note of a page has each of its words."""
    module, _, attribute = name.rpartition(".")
    if module in MODULES and any(notes(inspect.getdoc(getattr(import_module(module), attribute)) or "")):
        return True
    words = [attribute] if module in MODULES else name.split()[1:]
    return any(all(word in re.findall(r"[\w-]+", note) for word in words) for note in pages)


def test_a_note_is_that_of_the_name() -> None:
    pages = [
        *notes(".. versionadded:: 0.2\n   The setting ``LEEWAY`` and ``introspection_key list --short``.\n\nLATER")
    ]

    assert says_when("setting LEEWAY", pages)
    assert says_when("command introspection_key list --short", pages)
    assert not says_when("setting LATER", pages)
    assert not says_when("command introspection_key list --shorter", pages)
    assert not says_when("django_introspection.introspect", pages)


def test_the_modules_with_names_are_these() -> None:
    assert set(MODULES) == NAMES.keys()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchBackend"):
        import_module("django_introspection.backends").NoSuchBackend  # noqa: B018 - looking is the test


def test_the_sync_and_async_doors_are_called_alike() -> None:
    pairs = (
        (django_introspection.introspect, django_introspection.aintrospect),
        (services.service_token, services.aservice_token),
        (services.exchange_token, services.aexchange_token),
    )

    for sync, asynchronous in pairs:
        assert inspect.signature(sync) == inspect.signature(asynchronous)
        assert inspect.iscoroutinefunction(asynchronous)
    assert inspect.signature(django_introspection.introspect).parameters["using"].default == "default"


def test_what_can_be_caught_together() -> None:
    assert issubclass(exceptions.InvalidResponse, exceptions.IntrospectionUnavailable)
    assert issubclass(exceptions.IntrospectionUnavailable, exceptions.IntrospectionError)
    assert issubclass(exceptions.UnknownBackend, exceptions.InvalidBackend)
    assert issubclass(exceptions.InvalidBackend, exceptions.InvalidSetting)
    assert issubclass(exceptions.UnknownService, exceptions.InvalidSetting)
    assert issubclass(exceptions.ExchangeRefused, exceptions.IntrospectionError)
    assert not issubclass(exceptions.ExchangeRefused, exceptions.IntrospectionUnavailable), "a refusal is no outage"
    assert not issubclass(exceptions.InvalidSetting, exceptions.IntrospectionError), "configuration is not an outage"


def test_the_version_is_a_version() -> None:
    assert django_introspection.__version__.split(".")[:2] == ["0", "1"]
