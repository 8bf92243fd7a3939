"""What changes for tokens with and without `resource` when a view moves from django-oauth-toolkit to our class."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from . import flows

HERE, ELSEWHERE = "http://testserver", "https://other.example.com"
BACKEND = "django_introspection.contrib.oauth_toolkit.OAuthToolkitBackend"


def status(path: str, token: str) -> int:
    return int(Browser().get(path, headers={"Authorization": f"Bearer {token}"}).status_code)


@pytest.mark.parametrize(
    ("options", "here", "elsewhere", "unnamed"),
    [
        ({}, 200, 200, 200),
        ({"audience": HERE}, 200, 401, 401),
        ({"audience": HERE, "audience_required": False}, 200, 401, 200),
    ],
    ids=["any", "required", "if named"],
)
def test_a_token_opens_what_it_opened_before_if_an_audience_is_not_required(
    db: None, configured: Any, options: dict[str, Any], here: int, elsewhere: int, unnamed: int
) -> None:
    application, user = flows.code_application(), flows.new_user()
    configured(BACKENDS={"default": {"BACKEND": BACKEND, "OPTIONS": options}})
    tokens = [
        flows.authorization_code(application, user, **resource)["access_token"]
        for resource in ({"resource": HERE}, {"resource": ELSEWHERE}, {})
    ]

    assert [status("/theirs", token) for token in tokens] == [200, 401, 200]
    assert [status("/whoami", token) for token in tokens] == [here, elsewhere, unnamed]
