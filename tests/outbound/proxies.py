"""A small HTTP proxy on a loopback port: it forwards plain requests, and tunnels others."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit


class Proxy:
    """Forward requests; `requests` are method, target and `Proxy-Authorization` of each."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self._note()
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as target:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(target, self.connection))
            back.start()
            _copy(self.connection, target)
            back.join()
        self.close_connection = True

    def do_POST(self) -> None:
        self._note()
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with socket.create_connection((url.hostname, url.port)) as target:
            headers = "".join(
                f"{name}: {value}\r\n" for name, value in self.headers.items() if "proxy" not in name.lower()
            )
            target.sendall(f"POST {url.path} HTTP/1.0\r\n{headers}\r\n".encode() + body)
            target.shutdown(socket.SHUT_WR)
            while chunk := target.recv(65536):
                self.wfile.write(chunk)
        self.close_connection = True

    def _note(self) -> None:
        self.proxy.requests.append((self.command, self.path, self.headers.get("Proxy-Authorization")))

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
