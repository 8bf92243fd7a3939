"""The setting PERSONAL_TOKENS, and the system checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.test.utils import override_settings

from django_introspection.conf import introspection_settings
from django_introspection.exceptions import InvalidSetting
from django_introspection.personal_tokens import checks
from tests.personal_tokens.conftest import configure
from tests.settings import AUDIENCE

DAY = 86400


def language(user: Any) -> str:
    return "de"


def test_without_an_entry_nobody_can_give_a_right(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}
    limits = introspection_settings.PERSONAL_TOKENS

    assert limits == ({}, (), 30 * DAY, 365 * DAY, 50, (1, 7), None)


def test_each_entry_is_read(settings: Any) -> None:
    configure(
        settings,
        SCOPES={"a": None, "b": "app.perm", "c": ["app.one", "app.two"]},
        MAX_LIFETIME=5 * DAY,
        NOTICES=[1, 14, 14],
        LANGUAGE=f"{__name__}.language",
    )
    limits = introspection_settings.PERSONAL_TOKENS

    assert limits.scopes == {"a": (), "b": ("app.perm",), "c": ("app.one", "app.two")}
    assert (limits.audience, limits.default_lifetime, limits.max_lifetime) == ((AUDIENCE,), 5 * DAY, 5 * DAY)
    assert (limits.max_tokens, limits.notices, limits.language) == (5, (1, 14), language)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"SCOPE": {}}, r"\['PERSONAL_TOKENS'\] has unknown keys: 'SCOPE' \(did you mean 'SCOPES'\?\)"),
        ({"SCOPES": ["a"]}, r"\['SCOPES'\] must be a dictionary"),
        ({"SCOPES": {"a b": None}}, r"\['SCOPES'\] must be a dictionary"),
        ({"SCOPES": {7: None}}, r"\['SCOPES'\] must be a dictionary"),
        ({"SCOPES": {"a": "change_order"}}, r"\['SCOPES'\]\['a'\] must be None, a permission"),
        ({"SCOPES": {"a": [None]}}, r"\['SCOPES'\]\['a'\] must be None, a permission"),
        ({"SCOPES": {"a": True}}, r"\['SCOPES'\]\['a'\] must be None, a permission"),
        ({"SCOPES": "no.such.function"}, r"\['SCOPES'\] must be the dotted path of a function"),
        ({"LANGUAGE": "no.such.function"}, r"\['LANGUAGE'\] must be the dotted path of a function"),
        ({"AUDIENCE": AUDIENCE}, r"\['AUDIENCE'\] must be a list of absolute URIs"),
        ({"AUDIENCE": ["orders"]}, r"\['AUDIENCE'\] must be a list of absolute URIs"),
        ({"DEFAULT_LIFETIME": 0}, r"\['DEFAULT_LIFETIME'\] must be a whole number of seconds"),
        ({"MAX_LIFETIME": None}, r"\['MAX_LIFETIME'\] must be a whole number of seconds"),
        ({"MAX_LIFETIME": 10, "DEFAULT_LIFETIME": 11}, r"\['DEFAULT_LIFETIME'\] must not be more than MAX_LIFETIME"),
        ({"MAX_TOKENS": True}, r"\['MAX_TOKENS'\] must be a whole number of tokens"),
        ({"MAX_LIFETIME": 10**12}, r"\['MAX_LIFETIME'\] must be 3153600000 seconds"),
        ({"NOTICES": [1, 40_000]}, r"\['NOTICES'\] must have 36500 days"),
        ({"NOTICES": 7}, r"\['NOTICES'\] must be a list of whole numbers of days"),
        ({"NOTICES": [0]}, r"\['NOTICES'\] must be a list of whole numbers of days"),
    ],
)
def test_a_wrong_entry_is_named(settings: Any, changes: dict[str, Any], place: str) -> None:
    configure(settings, **changes)

    with pytest.raises(InvalidSetting, match=place):
        _ = introspection_settings.PERSONAL_TOKENS
    assert checks.check_audience() == []


def ids(messages: Any) -> list[str]:
    return [message.id.removeprefix("introspection.") for message in messages]


def test_the_settings_of_the_tests_are_good() -> None:
    assert ids([*checks.check_audience(), *checks.check_user_model()]) == []


def test_users_without_permissions_are_noticed(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(checks, "get_user_model", lambda: AbstractBaseUser)
    assert ids(checks.check_user_model()) == ["E110"]

    configure(settings, SCOPES={"orders:read": None})
    assert ids(checks.check_user_model()) == []
    with override_settings(AUTH_USER_MODEL="no.such"):
        monkeypatch.undo()
        assert ids(checks.check_user_model()) == []


def test_an_audience_of_jwts_is_noticed(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "RESOURCES": {AUDIENCE: {"FORMAT": "jwt"}}}

    assert ids(checks.check_audience()) == ["E111"]


def test_an_audience_that_this_resource_server_rejects_is_noticed(settings: Any) -> None:
    configure(settings, AUDIENCE=["https://other.example.com"])

    assert ids(checks.check_audience()) == ["W110"]
