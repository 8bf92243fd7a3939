"""An authorization server on a loopback port whose every answer is one named behaviour."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from .behaviours import BEHAVIOURS, Exchange

CERTIFICATE = str(Path(__file__).with_name("certificate.pem"))
PATH = "/introspect"
CLIENT_ID = "orders-api"
CLIENT_SECRET = "the secret of the orders API"


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes = field(repr=False)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


class MisbehavingServer:
    """Serve `behaviour`, which may be changed between requests.

    `requests` are the ones received, `connections` counts the sockets accepted. A behaviour that hangs is let go
    only by the end of the server: a call that returns before has returned by itself. With `tls` it shows the
    certificate in the file CERTIFICATE, which nobody has signed.
    """

    def __init__(self, behaviour: str = "active", *, tls: bool = False, **arguments: Any) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._behaviours: dict[str | None, Any] = {}
        self.hanging, self.released = threading.Event(), threading.Event()
        self.behave(behaviour, **arguments)
        self._scheme = "https" if tls else "http"
        self._server = _Server(self)
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(CERTIFICATE)
            # The handshake comes with the first read, in the thread of the connection.
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def behave(self, behaviour: str, *, at: str | None = None, **arguments: Any) -> None:
        """Answer like this from now on, at one path or everywhere else; `arguments` are the behaviour's own."""
        self._behaviours[at] = partial(BEHAVIOURS[behaviour], **arguments)

    def requests_at(self, path: str) -> list[Received]:
        return [request for request in self.requests if request.path == path]

    def ask_for_certificate(self) -> None:
        """Refuse clients that do not show the one certificate that this server knows."""
        self._tls.load_verify_locations(CERTIFICATE)
        self._tls.verify_mode = ssl.CERT_REQUIRED

    @property
    def origin(self) -> str:
        host, port = self._server.server_address
        return f"{self._scheme}://{host}:{port}"

    @property
    def url(self) -> str:
        return self.origin + PATH

    def settings(self, **options: Any) -> dict[str, Any]:
        return remote_settings(self.url, **options)

    def answer(self, path: str, exchange: Exchange) -> None:
        self._behaviours.get(path, self._behaviours[None])(exchange)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()


@contextmanager
def refusing_url() -> Iterator[str]:
    """Give a URL at which every connection is refused: the port is taken, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}{PATH}"


@contextmanager
def silent_url(scheme: str) -> Iterator[str]:
    """Give a URL at which connections are made, and never a byte comes back."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}{PATH}"


def remote_settings(url: str, **options: Any) -> dict[str, Any]:
    """Return TOKEN_INTROSPECTION for a resource server that asks at a URL."""
    own = {"introspection_url": url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": own | options}
    return {"BACKENDS": {"default": backend}}


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    request_queue_size = 64

    def __init__(self, owner: MisbehavingServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
            self.owner.connections += 1
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().close_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep alive, or their threads would wait for ever."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; anything else fails the test through threading.excepthook."""
        raise  # noqa: PLE0704 - called while the exception is handled


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        self.answered = 0
        try:
            super().handle()
        except (OSError, ValueError):  # the client is gone, or a behaviour closed the file under us
            self.close_connection = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        received = Received(self.command, self.path, self.headers, body)
        is_form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        token = received.form.get("token", [""])[0] if body and is_form else ""
        owner = self.server.owner
        owner.requests.append(received)
        exchange = Exchange(
            self.connection, self.rfile, owner.released, owner.hanging, self.headers, token, first=not self.answered
        )
        owner.answer(self.path, exchange)
        self.answered += 1
        self.close_connection = exchange.close

    def do_GET(self) -> None:
        """Be there for what follows a redirect."""
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base's
        """Keep the test output clean."""
