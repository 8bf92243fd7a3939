"""A site that runs in a web server, as a client, a resource server and an operator see it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.endpoints import FORM, basic
from tests.web_servers.running import PYTHON, running

GUNICORN = (
    *(str(PYTHON), "-m", "gunicorn", "--workers=2", "--threads=4", "--bind=127.0.0.1:{port}"),
    "django.core.wsgi:get_wsgi_application()",
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def members(self) -> Any:
        return json.loads(self.body)

    @property
    def is_refused_for_now(self) -> bool:
        """Whether it is a 503 that says when to come back."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE and self.headers.get("Retry-After", "").isdigit()


@dataclass(frozen=True)
class Site:
    port: int
    made: dict[str, Any]
    address: str = "127.0.0.1"
    """The address that the client has."""

    def call(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 30, source_address=(self.address, 0))
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def post(self, endpoint: str, caller: str, forwarded_for: str | None = None, **form: str) -> Answer:
        headers = {"Authorization": basic(*self.made[caller]), "Content-Type": FORM}
        if forwarded_for is not None:
            headers["X-Forwarded-For"] = forwarded_for
        return self.call("POST", f"/oauth/{endpoint}", urlencode(form), **headers)

    def try_to_issue(self, forwarded_for: str | None = None) -> Answer:
        return self.post("token", "machine", forwarded_for, grant_type="client_credentials")

    def issue(self) -> str:
        answer = self.try_to_issue()
        assert answer.status == HTTPStatus.OK, answer
        token: str = answer.members["access_token"]
        return token

    def refresh(self, refresh_token: str) -> Answer:
        return self.post("token", "machine", grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, token: str) -> Answer:
        return self.post("revoke", "machine", token=token)

    def introspect(self, token: str) -> Answer:
        return self.post("introspect", "api", token=token)

    def is_active(self, token: str) -> bool:
        """Return what the endpoint says; a protected view must say the same."""
        answer = self.introspect(token)
        assert answer.status == HTTPStatus.OK, answer
        is_active: bool = answer.members["active"]
        assert self.view(token).status == (HTTPStatus.OK if is_active else HTTPStatus.UNAUTHORIZED)
        return is_active

    def view(self, token: str) -> Answer:
        return self.call("GET", "/whoami", Authorization=f"Bearer {token}")

    def admin(self, path: str) -> Answer:
        return self.call("GET", f"/admin/introspection/{path}", Cookie=f"sessionid={self.made['session']}")


def journey(site: Site) -> None:
    """Let several clients at once get, show, refresh and revoke tokens."""
    grants = site.refresh(site.made["refresh_token"])
    assert grants.status == HTTPStatus.OK, grants

    def one(_: int) -> None:
        token = site.issue()
        assert site.is_active(token)
        assert site.revoke(token).status == HTTPStatus.OK
        assert not site.is_active(token)

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(one, range(20)))
    assert site.is_active(grants.members["access_token"])
    assert site.refresh(site.made["refresh_token"]).status == HTTPStatus.BAD_REQUEST, "it was used"
    assert not site.is_active(grants.members["access_token"])
    assert site.admin("token/").status == HTTPStatus.OK


def prepare(**environment: str) -> dict[str, Any]:
    """Make the tables and rows of a site, and return what a client needs."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.machines.prepare"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    made: dict[str, Any] = json.loads(finished.stdout)
    return made


@contextmanager
def running_site(settings: str, command: tuple[str, ...] = GUNICORN, **environment: str) -> Iterator[Site]:
    """Prepare a site with these settings, and run it until the end of the block."""
    environment = {"DJANGO_SETTINGS_MODULE": settings, **environment}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), environment.get("PYTHONPATH", "")])
    made = prepare(**environment)
    with running(command, **environment) as port:
        yield Site(port, made)
