"""Applications as callers in the debugger and on the command line, which accept whom the endpoint accepts."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.models import Client
from tests import factories
from tests.contrib.callers import assert_alike
from tests.settings import AUDIENCE

from . import flows


def test_the_debugger_and_the_command_answer_applications_as_the_endpoint_does(
    shop: flows.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flows.client_credentials(shop, resource=AUDIENCE)

    assert assert_alike(token, flows.resource_server("any"), monkeypatch) is True
    assert assert_alike(token, shop, monkeypatch) is True
    assert assert_alike(token, flows.register(name="without a policy"), monkeypatch) is False
    assert assert_alike(token, flows.resource_server("audience", resources=[AUDIENCE]), monkeypatch) is True
    assert assert_alike("unknown", shop, monkeypatch) is False


def test_an_application_that_the_endpoint_refuses_is_refused_alike(
    shop: flows.Application, api: flows.Application, monkeypatch: pytest.MonkeyPatch, configured: Any
) -> None:
    token = flows.client_credentials(shop)
    taken = flows.register(client_id=factories.ResourceServerFactory().client.client_id)

    assert assert_alike(token, flows.resource_server("none"), monkeypatch) is None
    assert assert_alike(token, flows.register(client_type="public"), monkeypatch) is None
    assert assert_alike(token, taken, monkeypatch) is None
    Client.objects.filter(client_id=api.client.client_id).update(is_active=False)
    assert assert_alike(token, api, monkeypatch) is None
