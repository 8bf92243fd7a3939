"""The authorization servers of other makes that run here, by the name of their file in `tests/servers/data`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.peers.flows import ENVIRONMENT, SELLING, AuthorizationServer
from tests.peers.processes import NODE, served
from tests.web_servers.running import free_port


class Peer(NamedTuple):
    """How a server is started, where its metadata is, in which formats it issues access tokens, and to what requests.

    `requests` are changes of the usual request for a token, None for a parameter that is left out.
    """

    command: list[str]
    metadata: str
    formats: tuple[str, ...] = ("opaque", "jwt")
    requests: tuple[dict[str, str | None], ...] = ({}, {"resource": None}, {"scope": SELLING})
    cwd: Path | None = None


def _python(name: str) -> list[str]:
    return [sys.executable, "-m", f"tests.peers.{name}"]


OPENID, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
PEERS = {
    "oidc_provider": Peer(["node", "oidc_provider.js"], OPENID, cwd=NODE),
    "oauth_toolkit": Peer(
        _python("oauth_toolkit"), f"/o{OAUTH}", formats=("opaque",), requests=({}, {"resource": None})
    ),
    "allauth": Peer(_python("allauth"), OPENID),
    "authlib": Peer(_python("authlib"), OAUTH, requests=({}, {"scope": None}, {"scope": SELLING})),
}


@contextmanager
def running(peer: Peer, token_format: str, directory: Path, **told: str) -> Iterator[AuthorizationServer]:
    """Run a server until the block ends."""
    own = {"FORMAT": token_format, "PORT": str(free_port()), "DATABASE_FILE": str(directory / "server.sqlite3")}
    with served(peer.command, {**ENVIRONMENT, **own, **told}, cwd=peer.cwd) as origin:
        yield AuthorizationServer.at(f"{origin}{peer.metadata}")
