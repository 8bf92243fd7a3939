"""The wire of the fake authorization server: a loopback port, a thread for each request."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"
Respond = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Any, dict[str, str]]]
"""From method, path, headers by lower-case name and body to status, content (None: empty) and headers."""


class Listener:
    """Hand each request to `respond`, from `start` to `stop`; the port stays the same, also while it refuses."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._port = 0
        self._server: _Server | None = None

    @property
    def origin(self) -> str:
        """Scheme, address and port."""
        if not self._port:
            raise RuntimeError("the server is not started: use it in a with statement")
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Bind a port and answer."""
        self._serve(_bound(0))

    def stop(self) -> None:
        """Answer what has come, and close."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse every connection for a while: the port is bound, but does not listen."""
        self.stop()
        bound = _bound(self._port)
        try:
            yield
        finally:
            self._serve(bound)

    def _serve(self, bound: socket.socket) -> None:
        self._server = _Server(self._respond, bound)
        self._port = bound.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them
    request_queue_size = 64

    def __init__(self, respond: Respond, bound: socket.socket) -> None:
        super().__init__((LOOPBACK, 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.respond = respond
        self.server_activate()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, as one with a deadline does."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5  # seconds for a client to send what it has announced

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        status, content, extra = self.server.respond(self.command, path, headers, body)
        self.send_response(status)
        payload = b"" if content is None else json.dumps(content).encode()
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(payload)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST  # noqa: N815 - the name is the base's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base's
        """Keep the output of the tests clean; paths could hold what is secret."""


def _bound(port: int) -> socket.socket:
    """Return a socket that is bound and does not listen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    return bound
