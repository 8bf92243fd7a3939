from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models

from django_introspection import TokenInfo
from django_introspection.backends.subjects import client_subject
from django_introspection.conf import introspection_settings, user_pk
from django_introspection.exceptions import InvalidSetting
from django_introspection.resource_server.users import TokenUser
from tests import endpoints, factories, jose
from tests.settings import AUDIENCE, ISSUER


def test_the_subject_is_the_primary_key_by_default(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    assert introspection_settings.SUBJECT is user_pk


@pytest.mark.parametrize(
    "path", ["nowhere.at_all", f"{__name__}.missing", "nodots", ".x", "", None, 7, [], "django_introspection.conf.DAY"]
)
def test_what_is_no_function_is_an_invalid_setting(settings: Any, path: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"SUBJECT": path}

    with pytest.raises(InvalidSetting, match="SUBJECT"):
        _ = introspection_settings.SUBJECT


def by_username(user: Any) -> str:
    return str(user.username)


KEYS: dict[str, tuple[Any, str]] = {
    "UUID": (models.UUIDField(), "4f0e9f5e-0d1f-4a57-8f0c-1d2f8f6e3a11"),
    "UUID without hyphens": (models.UUIDField(), "4f0e9f5e0d1f4a578f0c1d2f8f6e3a11"),
    "text": (models.CharField(max_length=30), "ada"),
    "number": (models.AutoField(), "12"),
    "big number": (models.BigAutoField(), " 12 "),
}


@pytest.mark.requirement("9700-4.15.1-a")
@pytest.mark.parametrize(("key", "client_id"), KEYS.values(), ids=KEYS)
def test_a_client_named_like_a_user_has_another_subject_whatever_the_key_of_users_is(
    key: Any, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_user_model()._meta, "pk", key)

    assert client_subject(client_id) == f"client:{client_id}"
    assert client_subject(f"client:{client_id}") == f"client:client:{client_id}"


def test_a_client_that_cannot_be_a_user_is_named_by_its_identifier() -> None:
    assert client_subject("orders-api") == "orders-api"


@pytest.fixture
def named_by_username(settings: Any) -> Any:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SUBJECT": f"{__name__}.by_username"}
    return settings


def subject_of(token: str) -> str:
    """Return the `sub` that the introspection endpoint names."""
    caller = factories.ResourceServerFactory(introspection_policy="any")
    members = endpoints.introspect(token, auth=caller).json()
    assert members["active"] is True
    return str(members["sub"])


@pytest.mark.django_db
@pytest.mark.requirement("9700-4.15.1-a")
@pytest.mark.parametrize("access_token_format", ["opaque", "jwt"])
def test_a_machine_and_a_user_of_the_same_name_are_two(named_by_username: Any, access_token_format: str) -> None:
    if access_token_format == "jwt":
        keys = [{"KEY": jose.private("ES256")}]
        named_by_username.TOKEN_INTROSPECTION = {**named_by_username.TOKEN_INTROSPECTION, "SIGNING_KEYS": keys}
    machine, shop = (
        factories.RegistrationFactory(client_id=name, access_token_format=access_token_format).client
        for name in ("ada", "shop")
    )
    ada = factories.UserFactory(username="ada")
    tokens = [
        factories.TokenFactory(client=client, user=user, audience=[AUDIENCE]).access_token
        for client, user in ((machine, None), (shop, ada))
    ]

    assert [subject_of(token) for token in tokens] == ["client:ada", "ada"]
    users = [
        TokenUser(TokenInfo({"sub": sub, "client_id": client_id}), issuer=ISSUER)
        for sub, client_id in (("client:ada", "ada"), ("ada", "shop"))
    ]
    assert users[0] != users[1]
    assert [user.is_client for user in users] == [True, False]


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["shop", "client:shop", "client:other"])
def test_a_user_named_like_a_client_gets_no_token(named_by_username: Any, username: str) -> None:
    shop = factories.RegistrationFactory(client_id="shop").client

    with pytest.raises(ValidationError, match="SUBJECT"):
        factories.TokenFactory(client=shop, user=factories.UserFactory(username=username))


@pytest.mark.django_db
def test_a_user_who_is_renamed_like_the_client_is_not_described(named_by_username: Any) -> None:
    shop, user = factories.RegistrationFactory(client_id="shop").client, factories.UserFactory(username="ada")
    token = factories.TokenFactory(client=shop, user=user).access_token
    caller = factories.ResourceServerFactory(introspection_policy="any")
    user.username = "shop"
    user.save()

    assert endpoints.introspect(token, auth=caller).status_code == 503
