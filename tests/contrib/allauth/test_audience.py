"""What changes for tokens with and without `resource` when a view moves from allauth to our class."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from . import flows

HERE, ELSEWHERE = "http://testserver", "https://other.example.com"
BACKEND = "django_introspection.contrib.allauth.AllauthBackend"


@pytest.mark.parametrize(
    ("format_of_tokens", "options", "here", "elsewhere", "unnamed"),
    [
        ("opaque", {}, 200, 200, 200),
        ("opaque", {"audience": HERE}, 200, 401, 401),
        ("opaque", {"audience": HERE, "audience_required": False}, 200, 401, 200),
        ("jwt", {"audience": HERE, "audience_required": False}, 200, 401, 200),
    ],
    ids=["any", "required", "if named", "if a JWT names it"],
)
def test_a_token_opens_what_it_opened_before_if_an_audience_is_not_required(
    db: None,
    configured: Any,
    settings: Any,
    format_of_tokens: str,
    options: dict[str, Any],
    here: int,
    elsewhere: int,
    unnamed: int,
) -> None:
    settings.IDP_OIDC_ACCESS_TOKEN_FORMAT = format_of_tokens
    configured(BACKENDS={"default": {"BACKEND": BACKEND, "OPTIONS": options}})
    shop, user = flows.register(), flows.new_user()
    tokens = [
        flows.authorization_code(shop, user, **resource)["access_token"]
        for resource in ({"resource": HERE}, {"resource": ELSEWHERE}, {})
    ]

    assert [_status("/theirs/whoami", token) for token in tokens] == [200, 403, 200]
    assert [_status("/whoami", token) for token in tokens] == [here, elsewhere, unnamed]


def _status(path: str, token: str) -> int:
    return int(Browser().get(path, headers={"Authorization": f"Bearer {token}"}).status_code)
