"""The code of the page Calling another API: it runs, and each server gets the request that it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from rest_framework.test import APIRequestFactory

from django_introspection.check_messages import TAG
from django_introspection.services import exchange_token, service_token
from tests import factories
from tests.misbehaving.server import MisbehavingServer
from tests.public_names import PACKAGE
from tests.test_documentation import blocks, read, table_rows

from .conftest import TOKEN_PATH

PAGE = "docs/calling-another-api.rst"
TYPE = "urn:ietf:params:oauth:token-type:access_token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
USER_TOKEN = "token-of-the-request"
API_PATH = "/api"


def documented(file: str) -> dict[str, Any]:
    """Return the names that a block of the page makes."""
    names: dict[str, Any] = {"__name__": "orders"}
    (block,) = (block for block in blocks(PAGE) if block.file == file)
    exec(block.code, names)  # noqa: S102
    return names


def point(settings: Any, entries: dict[str, Any], server: MisbehavingServer) -> None:
    """Let the entries of the page have their token endpoint on loopback."""
    there = {"token_url": server.origin + TOKEN_PATH}
    values = {alias: {**entry, **there} for alias, entry in entries.items()}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SERVICES": values}


def test_the_settings_are_good(settings: Any) -> None:
    services = {**documented("settings.py")["TOKEN_INTROSPECTION"]["SERVICES"], **documented("servers.py")["SERVICES"]}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SERVICES": services}

    assert checks.run_checks(tags=[TAG]) == []


REQUESTS = {
    "keycloak": {
        "grant_type": [EXCHANGE],
        "subject_token": [USER_TOKEN],
        "subject_token_type": [TYPE],
        "audience": ["billing"],
    },
    "entra": {
        "grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "assertion": [USER_TOKEN],
        "scope": ["api://billing/.default"],
        "requested_token_use": ["on_behalf_of"],
    },
    "auth0": {
        "grant_type": [EXCHANGE],
        "subject_token": [USER_TOKEN],
        "subject_token_type": ["urn:shop:access-token"],
        "audience": ["https://api.example.com/billing"],
    },
    "zitadel": {
        "grant_type": [EXCHANGE],
        "subject_token": [USER_TOKEN],
        "subject_token_type": [TYPE],
        "actor_token": ["service-token-0"],
        "actor_token_type": [TYPE],
    },
}


@pytest.mark.parametrize("server", REQUESTS)
def test_each_server_gets_the_parameters_that_it_needs(
    server: str, token_server: MisbehavingServer, settings: Any
) -> None:
    issued: list[str] = []
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=issued)
    point(settings, documented("servers.py")["SERVICES"], token_server)

    assert exchange_token(server, USER_TOKEN).value == issued[-1]
    assert token_server.requests[-1].form == REQUESTS[server]


def test_a_call_is_repeated_with_another_token_if_the_api_refuses_the_first(
    token_server: MisbehavingServer, settings: Any
) -> None:
    issued: list[str] = []
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=issued)
    token_server.behave("takes one bearer token", at=f"{API_PATH}/7", good=["service-token-1"])
    names = documented("stock.py")
    point(settings, documented("settings.py")["TOKEN_INTROSPECTION"]["SERVICES"], token_server)
    names["STOCK"] = token_server.origin + API_PATH

    assert names["stock_of"]("7").status_code == 200
    assert service_token("stock").value == issued[-1] == "service-token-1"


@pytest.mark.django_db
def test_the_view_calls_the_next_api_for_the_user_of_its_request(
    token_server: MisbehavingServer, settings: Any
) -> None:
    issued: list[str] = []
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=issued)
    token_server.behave("takes one bearer token", at=API_PATH, good=issued)
    names = documented("views.py")
    point(settings, documented("settings.py")["TOKEN_INTROSPECTION"]["SERVICES"], token_server)
    names["BILLING"] = token_server.origin + API_PATH
    token = factories.TokenFactory(scope="orders:read").access_token

    def ask() -> Any:
        request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
        return names["Bills"].as_view()(request)

    assert ask().data["sub"] == "alice"
    assert token_server.requests_at(TOKEN_PATH)[0].form["subject_token"] == [token]
    refusal = json.dumps({"error": "invalid_grant"}).encode()
    token_server.behave("status", at=TOKEN_PATH, code=400, content=refusal)
    assert ask().status_code == 403
    token_server.behave("status 503", at=TOKEN_PATH)
    assert (ask().status_code, ask()["Retry-After"]) == (503, "7")


def test_the_page_names_every_option_and_no_other() -> None:
    takes = re.compile(r"(?:options\.(?!invalid)\w+\(\s*|_take_type\(options, )\"(\w+)\"")
    sources: list[Path] = [*(PACKAGE / "services").glob("*.py"), PACKAGE / "backends" / "remote_options.py"]
    of_backends = {"bearer_token", "audience_claim", "cut_offs"}
    taken = {name for path in sources for name in takes.findall(path.read_text())} - of_backends
    tables = read(PAGE).partition("\nOptions\n---")[2]
    rows = {name for cells in table_rows(tables) for name in re.findall(r"^``([a-z_]+)``$", cells[0])}

    assert [name for name in taken if f"``{name}``" not in tables] == []
    assert rows - taken == set()
