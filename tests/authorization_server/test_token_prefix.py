"""TOKEN_PREFIX: each deployment has values of its own, and a change of the setting ends none of the former ones."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks

from django_introspection import introspect, token_backends
from django_introspection.check_messages import TAG
from django_introspection.conf import introspection_settings, setting_problem
from django_introspection.exceptions import InvalidSetting
from django_introspection.models import Client, GrantType, Token
from django_introspection.protocol.opaque import ACCESS_TOKEN, CLIENT_SECRET, TokenPrefix
from tests import factories
from tests.endpoints import post
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture
def holder() -> Any:
    """A client with a refresh token and a secret, all issued before the setting changes."""
    return factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN, GrantType.CLIENT_CREDENTIALS])


def use_prefix(settings: Any, prefix: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "TOKEN_PREFIX": prefix}


def test_every_generated_value_begins_with_the_prefix(settings: Any, user: Any) -> None:
    use_prefix(settings, "acme")
    client, secret = Client.objects.register(client_name="Shop", grant_types=[GrantType.REFRESH_TOKEN])
    issued = Token.objects.issue(client=client, user=user, audience=[AUDIENCE], refresh=True)

    assert secret.startswith("acme_cs_")
    assert issued.access_token.startswith("acme_at_")
    assert (issued.refresh_token or "").startswith("acme_rt_")
    assert introspect(issued.access_token)


def test_values_with_the_former_prefix_stay_valid(settings: Any, holder: Any, user: Any) -> None:
    issued = Token.objects.issue(client=holder.client, user=user, audience=[AUDIENCE], refresh=True)
    use_prefix(settings, "acme")
    auth = (holder.client, holder.secret)

    assert introspect(issued.access_token)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    renewed = post("/oauth/token", form, auth=auth).json()
    assert renewed["access_token"].startswith("acme_at_")
    assert renewed["refresh_token"].startswith("acme_rt_")

    use_prefix(settings, "globex")
    form = {"grant_type": "refresh_token", "refresh_token": renewed["refresh_token"]}
    assert post("/oauth/token", form, auth=auth).json()["access_token"].startswith("globex_at_")


@pytest.mark.parametrize(
    "value",
    ["acme_at_short", "dit_at_short", TokenPrefix("former").generate(CLIENT_SECRET)],
    ids=["own prefix", "default prefix", "secret with a former prefix"],
)
def test_a_malformed_value_takes_no_statement(settings: Any, django_assert_num_queries: Any, value: str) -> None:
    use_prefix(settings, "acme")

    with django_assert_num_queries(0):
        assert introspect(value) is None


def test_only_a_query_decides_about_a_value_with_another_prefix(settings: Any, django_assert_num_queries: Any) -> None:
    use_prefix(settings, "acme")

    with django_assert_num_queries(1):
        assert introspect("former_at_short") is None


@pytest.mark.parametrize("prefix", ["", "A", "eyJ", "acme_", "a" * 21, 7, None, ["acme"]])
def test_a_prefix_that_is_not_safe_is_an_error_at_start_up(settings: Any, prefix: Any) -> None:
    use_prefix(settings, prefix)

    assert "TOKEN_INTROSPECTION['TOKEN_PREFIX'] must be" in str(setting_problem("TOKEN_PREFIX"))
    assert "introspection.E002" in [message.id for message in checks.run_checks(tags=[TAG])]
    with pytest.raises(InvalidSetting):
        introspection_settings.TOKEN_PREFIX.generate(ACCESS_TOKEN)


ROUTED = {
    "own": {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": AUDIENCE}},
    "other": {
        "BACKEND": "django_introspection.backends.RemoteBackend",
        "OPTIONS": {
            "introspection_url": "http://127.0.0.1:9/introspect",
            "client_id": "orders-api",
            "client_secret": "a secret that is never sent",
            "audience": AUDIENCE,
        },
    },
}


@pytest.mark.parametrize(
    ("options", "is_warned"),
    [
        ({"prefixes": {"dit_": "own"}, "default": "other"}, True),
        ({"prefixes": {"acme_": "own", "dit_": "own"}, "default": "other"}, False),
        ({"prefixes": {"globex_": "other"}, "default": "own"}, False),
        ({"prefixes": {"globex_": "other"}, "default": ["own", "other"]}, False),
        ({"default": "other"}, False),
    ],
    ids=["former prefix alone", "both prefixes", "default", "default list", "no tables"],
)
def test_a_router_that_sends_own_tokens_elsewhere_is_warned_of(settings: Any, options: Any, is_warned: bool) -> None:
    router = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "TOKEN_PREFIX": "acme",
        "BACKENDS": {**ROUTED, "default": router},
    }

    messages = [message for message in token_backends["default"].check() if message.id == "introspection.W015"]

    assert bool(messages) == is_warned
    assert all("does not choose own for tokens with 'acme_'" in message.msg for message in messages)


def test_a_router_tells_two_deployments_and_the_own_one_apart(settings: Any, holder: Any) -> None:
    """Each value is shown to the deployment that issued it, and to no other one."""
    with MisbehavingServer("active", aud=AUDIENCE) as globex, MisbehavingServer("active", aud=AUDIENCE) as initech:
        options = {"prefixes": {"acme_": "own", "globex_": "globex", "initech_": "initech"}, "default": "own"}
        settings.TOKEN_INTROSPECTION = {
            **settings.TOKEN_INTROSPECTION,
            "TOKEN_PREFIX": "acme",
            "BACKENDS": {
                "default": {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options},
                "own": ROUTED["own"],
                "globex": remote_settings(globex.url, audience=AUDIENCE)["BACKENDS"]["default"],
                "initech": remote_settings(initech.url, audience=AUDIENCE)["BACKENDS"]["default"],
            },
        }
        token = Token.objects.issue(client=holder.client, audience=[AUDIENCE]).access_token

        assert introspect(token)
        assert (len(globex.requests), len(initech.requests)) == (0, 0)
        assert introspect(TokenPrefix("globex").generate(ACCESS_TOKEN))
        assert (len(globex.requests), len(initech.requests)) == (1, 0)
        assert introspect(TokenPrefix("initech").generate(ACCESS_TOKEN))
        assert (len(globex.requests), len(initech.requests)) == (1, 1)
