"""An authorization server on loopback that plays the file of a real one, under the names of its real hosts.

It is reached as a proxy: so the settings that a guide prints are used as they are, with `proxy` and `verify` added.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus, urlsplit

from tests.servers import shapes
from tests.servers.authority import Authority
from tests.servers.minting import at_present, public_keys
from tests.servers.shapes import Server, Token

Document = Mapping[str, Any]
Form = Mapping[str, list[str]]
NOT_FOUND: Document = {"status": 404, "content_type": "text/html", "body": "<html>Not found</html>"}


class FakeServer:
    """Answer as the server that is played; `answers` are those about the tokens that it has issued."""

    def __init__(self, directory: Path) -> None:
        authority = Authority(directory)
        self.certificate = str(authority.certificate)
        self.context = authority.server_context(_all_hosts())
        self.requests: list[tuple[str, str]] = []
        self.answers: dict[str, tuple[str, Document]] = {}
        self._server: Server | None = None
        self._documents: dict[tuple[str, str], Document] = {}
        self._service_tokens: set[str] = set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": self}))
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def connection(self) -> dict[str, str]:
        """The options by which a backend reaches this server, whatever the names of its hosts."""
        return {"proxy": f"http://127.0.0.1:{self._http.server_address[1]}", "verify": self.certificate}

    def play(self, server: Server) -> None:
        """Answer as this server from now on, with no tokens yet."""
        self._server = server
        self.answers.clear()
        self.requests.clear()
        self._service_tokens.clear()
        documents = {url: document for issuer in server.issuers for url, document in issuer["metadata"].items()}
        keys: Document = {"status": 200, "body": {"keys": public_keys(server.tokens)}}
        bodies = [document["body"] for document in documents.values() if isinstance(document["body"], dict)]
        sets = {each.get("jwks_uri") for each in [*bodies, *(setup.options for setup in server.setups)]}
        documents |= {url: keys for url in sets if url}
        self._documents = {_place(url): document for url, document in documents.items()}

    def issue(self, token: Token, value: str, answer: Document | None) -> str:
        """Let the server know a token, and return the token."""
        if answer is not None:
            self.answers[value] = (token.issuer, answer)
        return value

    def reply(self, method: str, host: str, target: str, headers: Message, form: Form) -> Document:
        assert self._server is not None
        place = _place(f"//{host}{target}")
        self.requests.append((method, f"{place[0]}{place[1]}"))
        if method == "GET":
            return self._documents.get(place, NOT_FOUND)
        issuers = [
            each
            for each in self._server.issuers
            if each["introspection"] and _place(each["introspection"]["endpoint"]) == place
        ]
        if issuers:
            return self._introspect(issuers, headers, form)
        return self._token(headers, form) if place in self._token_places() else NOT_FOUND

    def _introspect(self, issuers: list[Document], headers: Message, form: Form) -> Document:
        endpoint = issuers[0]["introspection"]
        if not self._is_caller(endpoint["auth_methods"], headers, form):
            refused: Document = endpoint["wrong_credentials"]
            return refused
        (value,) = form["token"]
        issuer, answer = self.answers.get(value, ("", {}))
        if issuer in [each["name"] for each in issuers]:
            return answer
        unknown: Document = endpoint["unknown_token"]
        if value.count(".") == 2:
            unknown = endpoint.get("unknown_jwt", unknown)
        return {"content_type": endpoint["content_type"], **unknown}

    def _is_caller(self, methods: list[str], headers: Message, form: Form) -> bool:
        if "none" in methods:
            return True
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            pair = b64decode(credentials).decode().partition(":")
            return "client_secret_basic" in methods and (unquote_plus(pair[0]), unquote_plus(pair[2])) in self._pairs()
        if scheme == "Bearer":
            fixed = self._options("bearer_token") if "bearer" in methods else set()
            return credentials in fixed | self._service_tokens
        if "client_secret" in form:
            pair_of_form = (form["client_id"][0], form["client_secret"][0])
            return "client_secret_post" in methods and pair_of_form in self._pairs()
        if "client_assertion" in form:
            return "private_key_jwt" in methods and form["client_assertion"][0].count(".") == 2
        return False

    def _token(self, headers: Message, form: Form) -> Document:
        """Answer at the token endpoint, where a resource server gets a token of its own."""
        methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
        if form.get("grant_type") != ["client_credentials"] or not self._is_caller(methods, headers, form):
            return {"status": 401, "body": {"error": "invalid_client"}}
        token = secrets.token_urlsafe(32)
        self._service_tokens.add(token)
        return {"status": 200, "body": {"access_token": token, "token_type": "Bearer", "expires_in": 3600}}

    def _token_places(self) -> set[tuple[str, str]]:
        documents = [each["body"] for each in self._documents.values() if isinstance(each["body"], dict)]
        urls = {each["token_endpoint"] for each in documents if "token_endpoint" in each}
        return {_place(url) for url in urls | self._options("token_url")}

    def _pairs(self) -> set[tuple[str, str]]:
        assert self._server is not None
        options = [setup.options for setup in self._server.setups]
        return {(each["client_id"], each["client_secret"]) for each in options if "client_secret" in each}

    def _options(self, name: str) -> set[str]:
        assert self._server is not None
        return {setup.options[name] for setup in self._server.setups if name in setup.options}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ssl.SSLError):  # the client is gone
            self.close_connection = True

    def do_CONNECT(self) -> None:
        """Be the proxy, and then the server behind it, on the same connection."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.connection = self.fake.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._reply(parse_qs(body.decode("ascii"), keep_blank_values=True))

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _reply(self, form: Form) -> None:
        parts = urlsplit(self.path)
        target = parts._replace(scheme="", netloc="").geturl()
        document = self.fake.reply(self.command, self.headers["Host"], target, self.headers, form)
        body = document.get("body", "")
        content = body if isinstance(body, str) else json.dumps(at_present(body))
        self.send_response(document["status"])
        self.send_header("Content-Type", document.get("content_type") or "application/json")
        for name, value in document.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _place(url: str) -> tuple[str, str]:
    """Return host and target of a URL: a server behind a proxy does not see the scheme of its public address."""
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix(":443").removesuffix(":80")
    return host, parts._replace(scheme="", netloc="").geturl()


def _all_hosts() -> Iterator[str]:
    """Yield the hosts of every https URL of every file."""
    for name in shapes.names():
        document = shapes.read(name)
        yield from _hosts([document["issuers"], document["setups"]])


def _hosts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _hosts(key)
            yield from _hosts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _hosts(item)
    elif isinstance(value, str) and value.startswith("https://"):
        host = urlsplit(value).hostname
        if host:
            yield host
