"""Clients of allauth as callers in the debugger and on the command line, which accept whom the endpoint accepts."""

from __future__ import annotations

import pytest
from allauth.idp.oidc.models import Client as OIDCClient

from django_introspection.models import Client
from tests.contrib.callers import assert_alike
from tests.settings import AUDIENCE

from . import flows


def test_the_debugger_and_the_command_answer_clients_as_the_endpoint_does(
    shop: flows.Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flows.client_credentials(shop, resource=AUDIENCE)

    assert assert_alike(token, flows.resource_server("any"), monkeypatch) is True
    assert assert_alike(token, shop, monkeypatch) is True
    assert assert_alike(token, flows.register(), monkeypatch) is False
    assert assert_alike("unknown", shop, monkeypatch) is False


def test_a_client_that_the_endpoint_refuses_is_refused_alike(
    shop: flows.Registered, api: flows.Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flows.client_credentials(shop)

    assert assert_alike(token, flows.resource_server("none"), monkeypatch) is None
    assert assert_alike(token, flows.register(type=OIDCClient.Type.PUBLIC), monkeypatch) is None
    Client.objects.filter(client_id=api.client.client_id).update(is_active=False)
    assert assert_alike(token, api, monkeypatch) is None
