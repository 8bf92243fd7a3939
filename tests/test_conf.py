"""The settings: parsed once, forgotten when they change, and an error at every read of an invalid value."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

import pytest
from django.apps import apps
from django.test import modify_settings, override_settings

from django_introspection.conf import SETTING_NAMES, Settings, introspection_settings
from django_introspection.exceptions import InvalidSetting
from tests.settings import ISSUER

EXAMPLE: dict[str, Any] = {
    "ISSUER": ISSUER,
    "RESOURCES": {"https://api.example.com/orders": {"SCOPES": ["orders:read"]}},
    "PROTECTED_PATHS": {"/api/": {"SCOPE": "orders:read"}},
    "REVOCATIONS": {},
    "TRUSTED_PROXIES": ["10.0.0.0/8"],
    "MEMBERS": "django_introspection.conf.user_pk",
}


def functions_run(read: Any) -> list[str]:
    """Return the names of the Python functions that a call runs, itself left out."""
    run: list[str] = []

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is not read.__code__:
            run.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        read()
    finally:
        sys.setprofile(None)
    return run


@pytest.mark.parametrize("name", sorted(SETTING_NAMES))
def test_a_setting_that_was_read_once_is_read_again_without_a_function(name: str) -> None:
    with override_settings(TOKEN_INTROSPECTION=EXAMPLE):
        first = functions_run(lambda: getattr(introspection_settings, name))
        again = functions_run(lambda: getattr(introspection_settings, name))
        same = getattr(introspection_settings, name) is getattr(introspection_settings, name)

    assert first
    assert (again, same) == ([], True)


def test_changed_settings_are_read_again_and_so_are_restored_ones(settings: Any) -> None:
    before = introspection_settings.LEEWAY

    with override_settings(TOKEN_INTROSPECTION={"LEEWAY": 7}):
        assert introspection_settings.LEEWAY == 7
    assert introspection_settings.LEEWAY == before == 30

    settings.TOKEN_INTROSPECTION = {"LEEWAY": 8}
    assert introspection_settings.LEEWAY == 8
    settings.TOKEN_INTROSPECTION = {}
    assert (introspection_settings.LEEWAY, introspection_settings.ISSUER) == (30, None)


def test_an_alias_is_read_again_when_the_caches_change(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"REPLAY_CACHE": "default"}
    assert introspection_settings.REPLAY_CACHE == "default"

    with (
        override_settings(CACHES={"other": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}),
        pytest.raises(InvalidSetting),
    ):
        _ = introspection_settings.REPLAY_CACHE


def test_the_default_backend_is_read_again_when_the_apps_change(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}
    assert list(introspection_settings.BACKENDS) == ["default"]

    with modify_settings(INSTALLED_APPS={"remove": ["django_introspection"]}):
        assert not apps.is_installed("django_introspection")
        assert introspection_settings.BACKENDS == {}


def test_an_invalid_value_is_the_same_error_at_every_read(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"LEEWAY": "30"}
    said = []

    for _ in range(2):
        with pytest.raises(InvalidSetting) as caught:
            _ = introspection_settings.LEEWAY
        said.append(str(caught.value))

    assert said == ["TOKEN_INTROSPECTION['LEEWAY'] must be a whole number of seconds, 0 or more."] * 2


def test_a_thread_that_still_parses_old_settings_does_not_bring_them_back() -> None:
    class Overtaken(Settings):
        @cached_property
        def LEEWAY(self) -> int:  # noqa: N802 - settings are in capitals
            self.forget()  # the settings change in another thread while this one parses them
            return 1

    overtaken = Overtaken()

    assert overtaken.LEEWAY == 1
    assert "LEEWAY" not in vars(overtaken)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ISUER": ISSUER}, "TOKEN_INTROSPECTION['ISUER'] does not exist (did you mean 'ISSUER'?)."),
        ({"BACKEND": {}}, "TOKEN_INTROSPECTION['BACKEND'] does not exist (did you mean 'BACKENDS'?)."),
        ({"COLOUR": "red"}, "TOKEN_INTROSPECTION['COLOUR'] does not exist."),
        (
            {"RESOURCES": {"urn:a": {"SCOPE": []}}},
            "TOKEN_INTROSPECTION['RESOURCES']['urn:a'] has unknown keys: 'SCOPE' (did you mean 'SCOPES'?).",
        ),
        (
            {"BACKENDS": {"a": {"BACKEND": "django_introspection.backends.Remote"}}},
            "TOKEN_INTROSPECTION['BACKENDS']['a']['BACKEND'] cannot be imported (ImportError)"
            " (did you mean 'django_introspection.backends.RemoteBackend'?)."
            " The backends of this package are django_introspection.backends.DatabaseBackend,"
            " django_introspection.backends.RemoteBackend, django_introspection.backends.JWTBackend,"
            " django_introspection.backends.RoutingBackend.",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_named_with_the_one_that_was_meant(values: Any, said: str) -> None:
    from django_introspection.checks import check_backends, check_settings

    with override_settings(TOKEN_INTROSPECTION=values):
        assert [message.msg for message in (*check_settings(), *check_backends())] == [said]
