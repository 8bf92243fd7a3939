"""Play one server until Ctrl+C, to try its guide in a project: `python -m tests.servers keycloak`."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.minting import mint
from tests.servers.shapes import Server


def lines(fake: FakeServer, server: Server) -> Iterator[str]:
    """Yield what a person needs: two more options, the credentials, and a token of each shape."""
    yield f"{server.title} is played. Add to the OPTIONS of the guide's settings:"
    yield from (f'    "{name}": "{value}",' for name, value in fake.connection.items())
    yield "Secrets that it accepts:"
    yield from sorted({f"    {setup.options['client_secret']}" for setup in server.setups if setup.has_secret})
    for token in server.tokens:
        value = fake.issue(token, mint(token), token.answer)
        expected = ", ".join(f"{setup}: {status}" for setup, status in token.expect.items())
        yield f"\n{token.kind}, {token.name} ({expected}):\n{value}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("server", choices=shapes.names())
    server = shapes.load(parser.parse_args().server)
    with TemporaryDirectory() as directory, FakeServer(Path(directory)) as fake:
        fake.play(server)
        for line in lines(fake, server):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
