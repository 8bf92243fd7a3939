"""Three web servers behind one nginx, with the configuration of the documentation."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.web_servers.running import PYTHON, free_port, running, wait_for

from . import documented
from .site import Site, journey, prepare

PROGRAM = [str(PYTHON), "-m"]
SERVERS = {
    "8001": [
        "gunicorn",
        "--bind=127.0.0.1:{port}",
        "--threads=4",
        "--keep-alive=75",
        "django.core.wsgi:get_wsgi_application()",
    ],
    "8002": ["granian", "--interface=wsgi", "--port={port}", "--factory", "django.core.wsgi:get_wsgi_application"],
    "8003": [
        "uvicorn",
        "--port={port}",
        "--timeout-keep-alive=75",
        "--lifespan=off",
        "--factory",
        "django.core.asgi:get_asgi_application",
    ],
}
MAIN = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{}}
http {{
    log_format upstreams "$upstream_addr"; access_log {directory}/access.log upstreams;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi; uwsgi_temp_path {directory}/uwsgi;
    {servers}
}}
"""


@dataclass
class Behind:
    site: Site
    log: Path
    stop_one: ExitStack

    def used(self) -> Counter[str]:
        return Counter(self.log.read_text().split())


@pytest.fixture(scope="module")
def behind(tmp_path_factory: Any) -> Iterator[Behind]:
    directory: Path = tmp_path_factory.mktemp("nginx")
    settings = {"DJANGO_SETTINGS_MODULE": "tests.machines.nginx_site", "COUNTS": str(directory / "counts")}
    settings["DATABASE_URL"] = f"sqlite:///{directory / 'site.sqlite3'}"
    made = prepare(**settings)
    configuration = documented.block("nginx", "nginx.conf")
    with ExitStack() as stack, ExitStack() as first:
        for name, command in SERVERS.items():
            port = (first if name == "8001" else stack).enter_context(running([*PROGRAM, *command], **settings))
            configuration = configuration.replace(f"127.0.0.1:{name};", f"127.0.0.1:{port};")
        port = free_port()
        configuration = configuration.replace("127.0.0.1:8000;", f"127.0.0.1:{port};")
        file = directory / "nginx.conf"
        file.write_text(MAIN.format(directory=directory, servers=configuration))
        user = [] if os.getuid() else ["-g", "user root;"]
        nginx = subprocess.Popen(["nginx", "-c", str(file), "-p", str(directory), *user])
        stack.callback(nginx.wait, 15)
        stack.callback(nginx.terminate)
        wait_for(port, nginx)
        yield Behind(Site(port, made), directory / "access.log", first)


def test_a_failure_counts_for_the_address_that_nginx_saw(behind: Behind) -> None:
    guesser, other = replace(behind.site, address="127.0.0.2"), replace(behind.site, address="127.0.0.3")
    wrong = {"machine": [behind.site.made["machine"][0], "wrong"]}
    guesser, other = replace(guesser, made=wrong), replace(other, made=wrong)

    statuses = [guesser.try_to_issue(f"9.9.9.{number}").status for number in range(30)]

    assert statuses[0] == 401
    assert statuses[-1] == 429, "an address that the client made up is not believed"
    assert other.try_to_issue("127.0.0.2").status == 401


def test_the_journey_goes_through_every_server_and_on_without_one(behind: Behind) -> None:
    journey(behind.site)
    used = behind.used()
    assert len(used) == 3, used

    behind.stop_one.close()
    for _ in range(10):
        token = behind.site.issue()
        assert behind.site.is_active(token)
        assert behind.site.revoke(token).status == 200
        assert not behind.site.is_active(token)
