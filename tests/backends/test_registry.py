"""The token backends of a process: one by alias, made late, and refused with a message that names the place."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_introspection import introspect, token_backends
from django_introspection.backends import DatabaseBackend, RemoteBackend, TokenBackend
from django_introspection.exceptions import InvalidBackend, InvalidSetting, UnknownBackend
from django_introspection.protocol.answer import Answer, Inactive, Reason
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.projects.run import run_module
from tests.resource_server.protected import TOKEN, ask, assert_refused, protect

SECRET = "do-not-show-this-secret"
URL = "https://auth.example.com/introspect"


class OwnBackend(TokenBackend):
    """A backend of a project."""

    made = 0

    def configure(self, options: Any) -> None:
        type(self).made += 1
        self.colour = options.string("colour", "red")

    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class SlowBackend(OwnBackend):
    """A backend that waits, while it is made, for a second one to be made."""

    second = threading.Barrier(2)

    def configure(self, options: Any) -> None:
        super().configure(options)
        with suppress(threading.BrokenBarrierError):
            self.second.wait(timeout=0.2)


OWN = f"{__name__}.OwnBackend"


def backends(**aliases: Any) -> dict[str, Any]:
    return {"BACKENDS": aliases}


def test_an_alias_has_one_backend(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = backends(a={"BACKEND": OWN}, b={"BACKEND": OWN, "OPTIONS": {"colour": "blue"}})

    assert token_backends["a"] is token_backends["a"]
    assert token_backends["a"] is not token_backends["b"]
    assert [token_backends[alias].colour for alias in token_backends] == ["red", "blue"]
    assert token_backends["b"].alias == "b"


def test_threads_that_come_at_once_get_the_same_backend(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = backends(default={"BACKEND": f"{__name__}.SlowBackend"})
    SlowBackend.second.reset()
    before, together = SlowBackend.made, threading.Barrier(8)

    def get(_: int) -> TokenBackend:
        together.wait()
        return token_backends["default"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(get, range(8)))

    assert len(set(map(id, found))) == 1
    assert SlowBackend.made == before + 1


def test_nothing_is_made_before_it_is_asked_for(settings: Any) -> None:
    before = OwnBackend.made
    settings.TOKEN_INTROSPECTION = backends(default={"BACKEND": OWN}, broken={"BACKEND": "no.such.module"})

    assert list(token_backends) == ["default", "broken"]
    assert OwnBackend.made == before


def test_an_unknown_alias_is_a_key_error_and_an_error_of_the_project() -> None:
    with pytest.raises(UnknownBackend) as raised:
        token_backends["partner"]

    assert isinstance(raised.value, (ImproperlyConfigured, KeyError))
    assert isinstance(raised.value, ImproperlyConfigured)
    assert isinstance(raised.value, KeyError)
    assert str(raised.value) == "TOKEN_INTROSPECTION['BACKENDS']['partner'] does not exist."
    with pytest.raises(UnknownBackend):
        introspect(TOKEN, using="partner")


def test_changed_settings_make_new_backends(settings: Any) -> None:
    first = token_backends["default"]
    with override_settings(TOKEN_INTROSPECTION=backends(default={"BACKEND": OWN})):
        assert isinstance(token_backends["default"], OwnBackend)
    restored = token_backends["default"]

    assert isinstance(restored, DatabaseBackend)
    assert restored is not first


def test_other_settings_that_change_leave_the_backends_alone(settings: Any) -> None:
    first = token_backends["default"]
    settings.DEBUG = True

    assert token_backends["default"] is first


def test_the_full_app_has_the_database_as_its_default_backend(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    assert list(token_backends) == ["default"]
    assert isinstance(token_backends["default"], DatabaseBackend)


def test_a_backend_of_the_project_protects_a_view(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = backends(default={"BACKEND": OWN})

    assert_refused(ask(protect(), TOKEN), 401, "invalid_token")


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (None, ""),
        ("path", ""),
        ([], ""),
        ({}, ""),
        ({"OPTIONS": {"client_secret": SECRET}}, ""),
        (
            {"BACKEND": OWN, "OPTION": {"client_secret": SECRET}},
            " has unknown keys: 'OPTION' (did you mean 'OPTIONS'?).",
        ),
        ({"BACKEND": OWN, 1: 2, "z": SECRET}, " has unknown keys: 'z', 1."),
        ({"BACKEND": "no.such.Backend"}, "['BACKEND']"),
        ({"BACKEND": "django_introspection.backends.NoSuchBackend"}, "['BACKEND']"),
        ({"BACKEND": "nodots"}, "['BACKEND']"),
        ({"BACKEND": ".x"}, "['BACKEND']"),
        ({"BACKEND": ""}, "['BACKEND']"),
        ({"BACKEND": None}, "['BACKEND']"),
        ({"BACKEND": [SECRET]}, "['BACKEND']"),
        ({"BACKEND": "django.conf.settings"}, "['BACKEND']"),
        ({"BACKEND": "django_introspection.TokenInfo"}, "['BACKEND']"),
        ({"BACKEND": "django_introspection.backends.TokenBackend"}, "['BACKEND']"),
        ({"BACKEND": OWN, "OPTIONS": None}, "['OPTIONS']"),
        ({"BACKEND": OWN, "OPTIONS": [SECRET]}, "['OPTIONS']"),
        (
            {"BACKEND": OWN, "OPTIONS": {"color": SECRET}},
            "['OPTIONS'] has unknown keys: 'color' (did you mean 'colour'?).",
        ),
        ({"BACKEND": OWN, "OPTIONS": {"audience": 1}}, "['OPTIONS']['audience']"),
    ],
)
def test_a_wrong_entry_is_refused_and_the_message_names_the_place(entry: Any, place: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = backends(mine=entry)

    with pytest.raises(InvalidBackend) as raised:
        token_backends["mine"]

    assert str(raised.value).startswith(f"TOKEN_INTROSPECTION['BACKENDS']['mine']{place}")
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"introspection_url": None}, "introspection_url"),
        ({"introspection_url": 1}, "introspection_url"),
        ({"introspection_url": ""}, "introspection_url"),
        ({"client_id": None}, "client_id"),
        ({"client_id": 7}, "client_id"),
        ({"client_secret": None}, "client_secret"),
        ({"client_secret": b"bytes " + SECRET.encode()}, "client_secret"),
        ({"client_secret": [SECRET]}, "client_secret"),
        ({"auth_method": "private_key"}, "auth_method"),
        ({"auth_method": []}, "auth_method"),
        ({"audience": [SECRET, 1]}, "audience"),
        ({"audience": [""]}, "audience"),
        ({"audience": {"a": SECRET}}, "audience"),
        ({"issuer": 1}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": None}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": 1e300}, "timeout"),
        ({"timeout": 10**400}, "timeout"),
        ({"verify": None}, "verify"),
        ({"verify": ""}, "verify"),
        ({"verify": 1}, "verify"),
        ({"verify": "/no/such/file.pem"}, "verify"),
        ({"verify": "nul\0byte"}, "verify"),
        ({"verify": __file__}, "verify"),
        ({"insecure_http": "yes"}, "insecure_http"),
        ({"require_token_type": 1}, "require_token_type"),
    ],
)
def test_a_wrong_option_is_refused_and_the_message_never_holds_a_value(
    options: dict[str, Any], named: str, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = remote_settings(URL, **({"client_secret": SECRET} | options))

    with pytest.raises(InvalidBackend) as raised:
        token_backends["default"]

    assert str(raised.value).startswith(f"TOKEN_INTROSPECTION['BACKENDS']['default']['OPTIONS']['{named}'] ")
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("name", ["introspection_url", "client_id", "client_secret"])
def test_what_a_remote_server_needs_must_be_there(name: str, settings: Any) -> None:
    values = remote_settings(URL)
    del values["BACKENDS"]["default"]["OPTIONS"][name]
    settings.TOKEN_INTROSPECTION = values

    with pytest.raises(InvalidBackend, match=rf"\['{name}'\] is required"):
        token_backends["default"]


@pytest.mark.parametrize("values", [None, [], "x", {"BACKENDS": []}, {"BACKENDS": None, "ISSUER": 1}])
def test_settings_that_are_no_settings_are_an_error_of_the_project(values: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = values

    if values == {"BACKENDS": None, "ISSUER": 1}:
        assert isinstance(token_backends["default"], DatabaseBackend)
    else:
        with pytest.raises(InvalidSetting, match="a dictionary"):
            token_backends["default"]


def test_a_backend_that_could_not_be_made_is_made_when_the_settings_are_mended(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = backends(default={"BACKEND": "no.such.Backend"})
    with pytest.raises(InvalidBackend):
        token_backends["default"]
    settings.TOKEN_INTROSPECTION = remote_settings(URL)

    assert isinstance(token_backends["default"], RemoteBackend)


@pytest.mark.processes
def test_a_forked_process_starts_anew(authorization_server: MisbehavingServer) -> None:
    """Both ends of a fork would otherwise read from one socket; the module says what it sees."""
    said = run_module(f"{__package__}.forking", "tests.settings", INTROSPECTION_URL=authorization_server.url)

    assert said.split() == ["child:", "new", "alice", "parent:", "same", "alice"]
    assert authorization_server.connections == 2


def test_a_fork_that_python_does_not_see_starts_anew(
    authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uWSGI forks without `os.register_at_fork`; `make faults` shows it with the real server."""
    introspect("token")
    backend = token_backends["default"]
    monkeypatch.setattr(os, "getpid", lambda: -1)

    introspect("token")

    assert token_backends["default"] is not backend
    assert authorization_server.connections == 2
    backend.close()
