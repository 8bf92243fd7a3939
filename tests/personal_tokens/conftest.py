from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from django_introspection.personal_tokens.issuing import IssuedPersonalToken
from django_introspection.personal_tokens.last_use import last_uses
from django_introspection.personal_tokens.models import PersonalToken
from tests.settings import AUDIENCE

PERSONAL_TOKENS: dict[str, Any] = {
    "SCOPES": {
        "orders:read": None,
        "orders:write": "auth.change_user",
        "tokens:manage": None,
    },
    "AUDIENCE": [AUDIENCE],
    "MAX_TOKENS": 5,
}


def configure(settings: Any, **changes: Any) -> None:
    """Change entries of PERSONAL_TOKENS."""
    values = settings.TOKEN_INTROSPECTION
    settings.TOKEN_INTROSPECTION = {**values, "PERSONAL_TOKENS": {**PERSONAL_TOKENS, **changes}}


@pytest.fixture(autouse=True)
def _configured(settings: Any) -> None:
    configure(settings)


@pytest.fixture(autouse=True)
def _own_uses() -> Iterator[None]:
    """Let no test write the uses of another."""
    last_uses.forget()
    yield
    last_uses.forget()


@pytest.fixture
def permitted(user: Any) -> Any:
    """The user, who may write orders."""
    user.user_permissions.add(Permission.objects.get(codename="change_user"))
    return user


def make(user: Any, **grant: Any) -> IssuedPersonalToken:
    """Issue a personal token that reads orders."""
    return PersonalToken.objects.issue(user, **{"name": "laptop", "scope": ["orders:read"], **grant})
