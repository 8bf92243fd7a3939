"""Objects to test with, made through the public doors wherever a value in the clear is needed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import factory
import factory.django
from django.contrib.auth import get_user_model

from django_introspection.authorization_server.issuing import IssuedToken, Registration
from django_introspection.models import Client, GrantType, Token
from tests.settings import AUDIENCE

User = get_user_model()


class UserFactory(factory.django.DjangoModelFactory[Any]):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user-{n}")
    password = "!"


class RegistrationFactory(factory.Factory[Any]):
    """Make `(client, secret)`: a machine client for the orders API."""

    class Meta:
        model = Registration

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **metadata: Any) -> Registration:
        return Client.objects.register(**deepcopy(metadata))  # a test may change what it got

    client_name = factory.Sequence(lambda n: f"Client {n}")
    grant_types = [GrantType.CLIENT_CREDENTIALS]
    scope = "orders:read orders:write"
    allowed_resources = [AUDIENCE]


class ResourceServerFactory(RegistrationFactory):
    """Make `(client, secret)`: the orders API itself, which introspects and asks for nothing."""

    grant_types: list[str] = []
    scope = ""
    allowed_resources: list[str] = []
    resources = [AUDIENCE]
    resource_scopes = "orders:read orders:write"


class TokenFactory(factory.Factory[Any]):
    """Issue tokens: `.access_token`, `.refresh_token`, `.token` (the row)."""

    class Meta:
        model = IssuedToken

    scope = "orders:read"
    audience = [AUDIENCE]

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **grant: Any) -> IssuedToken:
        grant.setdefault("client", RegistrationFactory().client)
        return Token.objects.issue(**grant)
