"""A resource server that is configured for django-oauth-toolkit keeps working when our endpoint answers it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.http import HttpResponse
from oauth2_provider.views import IntrospectTokenView

from tests import endpoints
from tests.settings import AUDIENCE

from . import flows

Told = list[tuple[int, dict[str, Any] | None]]


def served(url: str, settings: dict[str, Any], *tokens: str) -> Told:
    """Ask the view of a resource server in a process of its own for each token."""
    environment = {**os.environ, "INTROSPECTION_URL": url, "RESOURCE_SERVER": json.dumps(settings)}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.contrib.oauth_toolkit.resource_server", *tokens],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return [tuple(json.loads(line)) for line in finished.stdout.splitlines()]  # type: ignore[misc]  # pairs, as printed


def credentials(way: str, api: flows.Application) -> dict[str, Any]:
    if way == "credentials":
        return {"RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": [api.client.client_id, api.secret]}
    return {"RESOURCE_SERVER_AUTH_TOKEN": flows.client_credentials(api, "introspection")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["credentials", "token"])
def test_a_resource_server_keeps_its_settings(way: str, live_server: Any, configured: Any) -> None:
    configured(BEARER_WITHOUT_AUDIENCE=True)
    api, shop, user = flows.resource_server(), flows.register(), flows.new_user()
    tokens = flows.authorization_code(flows.code_application(), user)
    machine = flows.client_credentials(shop)
    weak = flows.client_credentials(shop, "orders:write")
    refresh = tokens["refresh_token"]
    exp = flows.members(tokens["access_token"], api)["exp"]

    of_user, of_machine, *others = served(
        f"{live_server.url}/o/introspect/",
        credentials(way, api),
        tokens["access_token"],
        machine,
        weak,
        refresh,
        "unknown",
    )

    told = {"user": user.username, "scope": "orders:read", "resource": [], "expires": exp}
    assert of_user == (200, told)
    assert of_machine[0] == 200
    assert of_machine[1] is not None
    assert of_machine[1]["user"] is None
    assert [status for status, _ in others] == [403, 401, 401]


def theirs(token: str) -> dict[str, Any]:
    return dict(json.loads(IntrospectTokenView.get_token_response(token).content))


@pytest.mark.parametrize("form", [{}, {"resource": AUDIENCE}], ids=["no resource", "resource"])
def test_no_member_of_theirs_is_missing_or_different(
    shop: flows.Application, api: flows.Application, form: dict[str, Any], user: Any
) -> None:
    machine = flows.client_credentials(shop, **form)
    of_user = flows.authorization_code(flows.code_application(), user, **form)["access_token"]

    for token in (machine, of_user):
        assert theirs(token).items() <= flows.members(token, api).items()


def test_a_view_of_theirs_and_its_twin_of_ours_agree(shop: flows.Application, user: Any) -> None:
    good = [flows.client_credentials(shop), flows.authorization_code(flows.code_application(), user)["access_token"]]
    weak = flows.client_credentials(shop, "orders:write")

    def both(token: str) -> tuple[int, int]:
        return flows.view(token, "/theirs").status_code, flows.view(token).status_code

    assert [both(token) for token in good] == [(200, 200), (200, 200)]
    assert both(weak) == (403, 403)
    assert both("unknown") == (401, 401)


def test_the_differences_that_the_documentation_names(shop: flows.Application) -> None:
    from django.test import Client as Browser

    token = flows.client_credentials(shop)
    headers = {"Authorization": endpoints.basic(shop.client.client_id, shop.secret)}

    def asked(**options: Any) -> HttpResponse:
        return endpoints.post("/o/introspect/", {"token": token}, **options)

    assert Browser().get(f"/o/introspect/?token={token}", headers=headers).status_code == 405
    assert asked().status_code == 401
    assert asked(auth=(shop.client, "wrong")).status_code == 401
    assert asked(auth=tuple(flows.register())).json() == {"active": False}
