"""The MCP server of docs/mcp.rst: a machine client of the official SDK finds its way from the challenge to the tool."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import httpx2
import pytest

from django_introspection import testing
from tests.test_documentation import Block, blocks, project
from tests.web_servers.running import free_port, wait_for

MORE = """
ALLOWED_HOSTS = ["127.0.0.1"]
"""
PREPARE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django_introspection.models import Client
agent, secret = Client.objects.register(
    client_name="Agent",
    grant_types=["client_credentials"],
    scope="orders:read",
    allowed_resources=["{resource}"],
)
print(agent.client_id, secret)
"""


@dataclass
class Running:
    origin: str
    client_id: str
    secret: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    steps = [
        Block(
            block.file,
            block.code.replace("https://api.example.com", origin).replace("https://auth.example.com", origin),
        )
        for block in blocks("docs/mcp.rst")
    ]
    directory = project(tmp_path_factory.mktemp("mcp"), [*steps, Block("settings.py", MORE)])
    (directory / "shop" / "asgi.py").write_text(
        next(block.code for block in steps if block.file == "asgi.py").replace("api.example.com", "127.0.0.1")
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings"}
    made = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PREPARE).format(resource=f"{origin}/mcp")],
        cwd=directory,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    client_id, secret = made.stdout.split()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "shop.asgi:application"]
    with subprocess.Popen(command, cwd=directory, env=environment) as server:
        try:
            wait_for(port, server)
            yield Running(origin, client_id, secret)
        finally:
            server.terminate()
            server.wait(15)


class Storage:
    """Where the client of the SDK keeps what it got."""

    tokens: Any = None
    client_info: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client_info

    async def set_client_info(self, client_info: Any) -> None:
        self.client_info = client_info


async def call(running: Running, tool: str, **arguments: Any) -> Any:
    from mcp import Client
    from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
    from mcp.client.streamable_http import streamable_http_client

    url = f"{running.origin}/mcp"
    authentication = ClientCredentialsOAuthProvider(
        url, Storage(), running.client_id, running.secret, scope="orders:read", issuer=running.origin
    )
    async with (
        httpx2.AsyncClient(auth=authentication) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        return await client.call_tool(tool, arguments)


def test_a_machine_client_of_the_sdk_finds_the_server_and_calls_a_tool(running: Running) -> None:
    result = asyncio.run(call(running, "whose_orders"))

    assert not result.is_error
    assert result.content[0].text == running.client_id


def test_a_tool_that_needs_another_scope_refuses(running: Running) -> None:
    result = asyncio.run(call(running, "cancel_order", number=3))

    assert result.is_error
    assert "orders:write" in result.content[0].text


def test_the_challenge_leads_to_the_metadata(running: Running) -> None:
    refused = httpx2.post(f"{running.origin}/mcp", headers={"Authorization": "Bearer unknown"}, json={})

    assert refused.status_code == 401
    document = f"{running.origin}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{document}"' in refused.headers["WWW-Authenticate"]
    assert httpx2.get(document).json()["authorization_servers"] == [running.origin]


def test_an_outage_is_503(introspection_tokens: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, dict[str, Any]] = {}
    for file in ("mcp_server.py", "asgi.py"):
        module: Any = ModuleType("shop." + file.removesuffix(".py"))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        (block,) = (block for block in blocks("docs/mcp.rst") if block.file == file)
        exec(block.code, module.__dict__)  # noqa: S102
        names[file] = module.__dict__

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=names["asgi.py"]["application"])
        async with httpx2.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
            return await client.post("/mcp", headers={"Authorization": f"Bearer {testing.unavailable()}"}, json={})

    refused = asyncio.run(ask())

    assert refused.status_code == 503
    assert refused.headers["Retry-After"].isdigit()
