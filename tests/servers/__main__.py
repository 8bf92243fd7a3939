"""Play one server until Ctrl+C, to try its guide in a project: `python -m tests.servers keycloak`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.minting import mint
from tests.servers.shapes import Server, Token

DAY = 24 * 60 * 60
"""Seconds for which the printed tokens live, as the certificate of the server does."""


def lines(fake: FakeServer, server: Server) -> Iterator[str]:
    """Yield what a person needs: two more options, the credentials, and a token of each shape."""
    yield f"{server.title} is played. Add to the OPTIONS of each backend in the guide's settings:"
    yield from (f'    "{name}": "{value}",' for name, value in fake.connection.items())
    yield "Secrets that it accepts:"
    yield from sorted({f"    {setup.options['client_secret']}" for setup in server.setups if setup.has_secret})
    for number, token in enumerate(server.tokens):
        value = fake.issue(token, mint(token, **lasting(token, number)), token.answer)
        expected = ", ".join(f"{setup}: {status}" for setup, status in token.expect.items())
        yield f"\n{token.kind}, {token.name} ({expected}):\n{value}"


def lasting(token: Token, number: int) -> dict[str, Any]:
    """Return times for a JWT that a person uses: a day of life, and no two tokens with equal claims."""
    now, claims = int(time.time()), token.claims or {}
    is_alive = str(claims.get("exp", "")).startswith("+")
    times = {"exp": now + DAY - number} if is_alive else {}
    return {**times, "iat": now - 5 - number} if "iat" in claims else times


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("server", choices=shapes.names())
    server = shapes.load(parser.parse_args().server)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # an exit by a signal would leave the directory
        signal.signal(number, lambda *_: stopped.set())
    with TemporaryDirectory() as directory, FakeServer(Path(directory)) as fake:
        fake.play(server)
        for line in lines(fake, server):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main()
