"""The documentation tells the truth: its code runs in new projects, and its tables list what the code has."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command

import django_introspection
from django_introspection import backends, exceptions, models, services, signals, token_backends
from django_introspection.authorization_server import revoking
from django_introspection.backends.overriding import override_problem
from django_introspection.check_messages import HINTS, TAG
from django_introspection.conf import SETTING_NAMES, introspection_settings
from django_introspection.outbound.client_authentication import BEARER_METHODS, METHODS, NO_METHOD
from django_introspection.permissions import requires_claim
from django_introspection.protocol.answer import Active, Inactive, Reason
from django_introspection.protocol.token_info import TokenInfo
from tests import factories
from tests.public_names import backend_options
from tests.settings import AUDIENCE
from tests.web_servers.running import free_port

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    *(
        str(path.relative_to(ROOT))
        for folder in ("docs", "docs/servers")
        for path in sorted((ROOT / folder).glob("*.rst"))
    ),
]

MARKDOWN_BLOCK = re.compile(r"^```python\n(?:# (?P<file>[^\n]+)\n)?(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
RST_BLOCK = re.compile(
    r"^\.\. code-block:: python\n(?:   :caption: (?P<file>.+)\n)?\n(?P<code>(?:(?:   .*)?\n)+)", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A block of Python, and the file that it is for."""

    file: str | None
    code: str


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    text = read(page)
    pattern = MARKDOWN_BLOCK if page.endswith(".md") else RST_BLOCK
    return [Block(found["file"], textwrap.dedent(found["code"])) for found in pattern.finditer(text)]


def table_rows(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the cells of every list-table of a page."""
    for row in re.split(r"\n   \* - ", text)[1:]:
        cells = row.split("\n\n")[0].split("\n     - ")
        yield tuple(" ".join(cell.split()) for cell in cells)


def project(directory: Path, page_blocks: list[Block]) -> Path:
    """Start a new project and put each block where it belongs; what is for the shell goes to `shell.py`."""
    call_command("startproject", "shop", directory)
    for block in page_blocks:
        place = directory if block.file == "manage.py shell" else directory / "shop"
        name = "shell.py" if block.file == "manage.py shell" else str(block.file)
        with (place / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{block.code}")
    return directory


def run(directory: Path, story: str, **environment: str) -> None:
    """Run a story in a project, in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", STAGE + textwrap.dedent(story)],
        cwd=directory,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


STAGE = """
import sys
sys.path.insert(0, ".")
import django
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("check", fail_level="WARNING")
browser = Client(SERVER_NAME="localhost")

def orders(token=None, method="get"):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return getattr(browser, method)("/orders/", headers=headers)

def expect(response, status):
    assert response.status_code == status, (status, response.status_code, response.content)
    return response
"""

ISSUING = """
import base64
call_command("migrate", verbosity=0)
exec(compile(open("shell.py").read(), "shell.py", "exec"))

def ask(endpoint, client, secret, **form):
    credentials = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
    return browser.post(
        f"/oauth/{endpoint}",
        "&".join(f"{name}={value}" for name, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Basic {credentials}"},
    )

issued_token = expect(ask("token", shop, shop_secret, grant_type="client_credentials"), 200).json()
assert issued_token["scope"] == "orders:read orders:write"
token = issued_token["access_token"]
expect(ask("introspect", api, "wrong", token=token), 401)
answer = expect(ask("introspect", api, api_secret, token=token), 200).json()
assert answer["active"] is True
assert answer["iss"] == "http://127.0.0.1:8000"
assert expect(browser.get("/.well-known/oauth-authorization-server"), 200).json()["issuer"] == answer["iss"]
"""

REVOKING = """
expect(ask("revoke", shop, shop_secret, token=token), 200)
assert expect(ask("introspect", api, api_secret, token=token), 200).json() == {"active": False}
"""

PROTECTING_LOCALLY = """
expect(orders(), 401)
assert expect(orders(issued.access_token), 200).json() == {"orders": [], "for": str(alice.pk)}
expect(orders(issued.access_token, "post"), 403)
expect(orders(token, "post"), 201)
"""

OWN_TEMPLATES = """
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
"""

SITE = "<title>{% block title %}{% endblock %}</title><h1>The shop</h1>{% block content %}{% endblock %}"

REVOKING_IN_PERSON = """
browser.force_login(alice)
page = expect(browser.get("/account/apps/"), 200).content.decode()
assert "The shop" in page and "See your orders" in page, page
expect(browser.post("/account/apps/revoke/"), 302)
expect(orders(issued.access_token), 401)
"""

PROTECTING_REMOTELY = """
import os
expect(orders(), 401)
expect(orders("unknown"), 401)
expect(orders(os.environ["TOKEN"]), 200)
denied = expect(orders(os.environ["TOKEN"], "post"), 403)
assert 'scope="orders:write"' in denied["WWW-Authenticate"]
assert "django_introspection.models" not in sys.modules
"""

LISTENING = """
from shop.consumers import may_listen
assert may_listen(os.environ["TOKEN"]) is True
assert may_listen("unknown") is False
"""

POINTING_ELSEWHERE = """
TOKEN_INTROSPECTION["BACKENDS"]["default"]["OPTIONS"] |= {
    "issuer": "https://auth.example.com", "introspection_url": os.environ["INTROSPECTION_URL"],
}
"""


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_python_is_python(page: str) -> None:
    for block in blocks(page):
        ast.parse(block.code)
    assert len(blocks(page)) == len(re.findall(r"^(?:```|\.\. code-block:: )python$", read(page), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_links_to_a_file_that_is_not_there(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", read(page)):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_every_picture_is_shown_and_described() -> None:
    text = "".join(map(read, PAGES))
    shown = set(re.findall(r"\bimages/([\w-]+\.\w+)", text))

    assert shown == {path.name for path in (ROOT / "docs/images").iterdir()}
    assert len(re.findall(r"\n +:alt: \w", text)) == text.count(".. image::")


@pytest.mark.processes
def test_the_readme_makes_both_servers_as_it_is_pasted(tmp_path: Path) -> None:
    section = read("README.md").partition("## A protected view in five minutes\n")[2].partition("\n## ")[0]
    ports = {port: str(free_port()) for port in ("8000", "8001")}
    script = re.sub(r"\b800[01]\b", lambda found: ports[found[0]], as_pasted(section))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(tmp_path)}
    del environment["DJANGO_SETTINGS_MODULE"]

    finished = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.findall(r"HTTP/1\.1 (\d+)", finished.stdout) == ["200", "401"], finished.stdout
    assert '{"orders":[],"for":"shop"}' in finished.stdout


def as_pasted(section: str) -> str:
    """Return a script for bash that does what a section says: it runs the commands and appends to the files.

    A person pastes slowly enough for a server to start; the script waits for it.
    """
    steps = ["trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for kind, text in re.findall(r"^```(console|python)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        if kind == "python":
            file, _, code = text.partition("\n")
            steps.append(f"cat >> {file.removeprefix('# ')} <<'END'\n{code}END")
        else:
            steps.append(re.sub(r"^\$ ", "", text, flags=re.MULTILINE))
    script = "\n".join(steps).replace("python -m pip install .\n", "", 1)
    waiting = r"\1\ntimeout 60 sh -c 'until curl -s -o /dev/null http://127.0.0.1:\2/; do sleep 0.1; done'"
    return re.sub(r"^(.* runserver (\d+) &)$", waiting, script, flags=re.MULTILINE)


@pytest.mark.processes
def test_the_quick_start_makes_an_authorization_server_that_protects_a_view(tmp_path: Path) -> None:
    page = blocks("docs/quickstart-authorization-server.rst")

    run(project(tmp_path, page), ISSUING + PROTECTING_LOCALLY + REVOKING + "expect(orders(token), 401)")


@pytest.mark.processes
def test_the_quick_start_makes_a_resource_server(tmp_path: Path, live_server: Any) -> None:
    api = factories.ResourceServerFactory()
    steps = [*blocks("docs/quickstart-resource-server.rst"), Block("settings.py", POINTING_ELSEWHERE)]

    run(
        project(tmp_path, steps),
        PROTECTING_REMOTELY + LISTENING,
        INTROSPECTION_URL=f"{live_server.url}/oauth/introspect",
        ORDERS_API_ID=api.client.client_id,
        ORDERS_API_SECRET=api.secret,
        TOKEN=factories.TokenFactory().access_token,
    )


def test_a_view_of_a_resource_server_is_503_while_nobody_can_be_asked(tmp_path: Path) -> None:
    page = [*blocks("docs/quickstart-resource-server.rst"), Block("settings.py", POINTING_ELSEWHERE)]

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run(
            project(tmp_path, page),
            'import logging; logging.disable()\nassert expect(orders("any"), 503)["Retry-After"].isdigit()',
            INTROSPECTION_URL=f"http://127.0.0.1:{nobody.getsockname()[1]}/oauth/introspect",
            ORDERS_API_ID="orders-api",
            ORDERS_API_SECRET="secret",
        )


@pytest.mark.processes
def test_the_page_about_self_service_makes_pages_in_the_look_of_the_project(tmp_path: Path) -> None:
    quick_start = blocks("docs/quickstart-authorization-server.rst")
    directory = project(tmp_path, [*quick_start, *blocks("docs/self-service.rst"), Block("settings.py", OWN_TEMPLATES)])
    templates = re.findall(r"html\+django\n   :caption: (.+)\n\n((?:(?:   .*)?\n)+)", read("docs/self-service.rst"))
    for name, text in [*templates, ("templates/base.html", SITE)]:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(textwrap.dedent(text), encoding="utf-8")

    assert len(templates) == 2
    run(directory, ISSUING + REVOKING_IN_PERSON)


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("permissions", {"OrderList", "OrderViewSet", "Report", "Sales", "sales"}),
        (
            "protecting-views",
            {
                "OrderList",
                "FormAuthentication",
                "OrderForm",
                "order_stream",
                "PerClient",
                "ProvenAuthentication",
                "urlpatterns",
            },
        ),
        ("users", {"member"}),
    ],
)
def test_the_code_of_a_page_can_be_made(page: str, made: set[str]) -> None:
    names: dict[str, Any] = {"__name__": "orders.views"}
    for block in blocks(f"docs/{page}.rst"):
        exec(block.code, names)  # noqa: S102

    assert made <= names.keys()


def test_every_requirement_of_a_claim_that_the_pages_show_can_be_made() -> None:
    shown = [line for page in PAGES for line in re.findall(r"requires_claim\([^`]+?\)(?=``)", read(page))]

    assert len(shown) >= 10
    for line in shown:
        permission = eval(line, {"requires_claim": requires_claim})  # noqa: S307 - a line of our own pages
        assert permission.requirement.claim.values


@pytest.mark.parametrize("page", ["protecting-views", "users"])
def test_the_settings_of_a_page_are_good(page: str, settings: Any) -> None:
    names: dict[str, Any] = {}
    (block,) = (block for block in blocks(f"docs/{page}.rst") if block.file == "settings.py")
    exec(block.code, names)  # noqa: S102
    partner = {"partner": settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]}
    backends = {**settings.TOKEN_INTROSPECTION["BACKENDS"], **partner}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": backends, **names["TOKEN_INTROSPECTION"]}
    settings.MIDDLEWARE = names.get("MIDDLEWARE", settings.MIDDLEWARE)

    assert checks.run_checks(tags=[TAG]) == []


TENANT = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"
LOOK_UPS = {
    "issuers.py": ("https://id.example.com/realms/shop", "realm", "shop"),
    "entra.py": (TENANT, "tenant_id", "72f988bf-86f1-41af-91ab-2d7cd011db47"),
}


@pytest.mark.parametrize("file", LOOK_UPS)
def test_the_look_ups_of_the_page_trust_customers_alone(file: str, settings: Any) -> None:
    issuer, field, name = LOOK_UPS[file]
    customers: list[dict[str, Any]] = []

    class Customer:
        """The table of a project."""

        class objects:  # noqa: N801 - the name is Django's
            @staticmethod
            def filter(**wanted: Any) -> Any:
                return SimpleNamespace(exists=lambda: wanted in customers)

    names: dict[str, Any] = {"Customer": Customer}
    (block,) = (block for block in blocks("docs/many-issuers.rst") if block.file == file)
    exec(block.code, names)  # noqa: S102
    find = names["find"]
    assert find(issuer) is None
    customers.append({field: name, "is_active": True})
    entry = find(issuer)
    options = {"issuers": find, "audience": AUDIENCE}
    routing = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": routing}}
    made = token_backends["default"].looked_up.make(issuer, entry)  # type: ignore[attr-defined]
    assert made.issuer == issuer
    made.close()
    for other in (f"{issuer}/", f"{issuer}\n", f" {issuer}", f"{issuer}@evil.example", issuer.replace(".", "x", 1)):
        assert find(other) is None
    assert find(f"https://evil.example/?{issuer}") is None


def test_the_backend_of_the_settings_page_is_one() -> None:
    names: dict[str, Any] = {"__name__": "orders.backends"}
    (block,) = (block for block in blocks("docs/settings.rst") if block.file == "backends.py")
    exec(block.code, names)  # noqa: S102

    backend = names["OneToken"]("default", {"value": "abc", "audience": "urn:orders"})

    assert isinstance(backend.introspect("abc"), Active)
    assert isinstance(backend.introspect("abd"), Inactive)
    with pytest.raises(exceptions.InvalidBackend):
        names["OneToken"]("default", {"value": "abc", "other": 1})


def test_the_rule_of_the_settings_page_counts_in_every_view() -> None:
    names: dict[str, Any] = {"__name__": "orders.robots"}
    (block,) = (block for block in blocks("docs/settings.rst") if block.file == "robots.py")
    exec(block.code, names)  # noqa: S102
    robot, person = (Active(TokenInfo({"client_id": name})) for name in ("robot", "person"))

    refused = names["WithoutRobots"]._refused

    assert override_problem(names["WithoutRobots"]) is None
    assert isinstance(refused(None, robot), Inactive)
    assert refused(None, person) is person


def test_the_hook_of_the_settings_page_answers_by_who_asks(user: Any) -> None:
    names: dict[str, Any] = {}
    (block,) = (block for block in blocks("docs/settings.rst") if block.file == "hooks.py")
    exec(block.code, names)  # noqa: S102
    user.groups.create(name="buyers")
    orders, other = models.Client(resources=["https://api.example.com/orders"]), models.Client()

    assert names["members"]({}, user, orders) == {"roles": ["buyers"]}
    assert names["members"]({}, None, orders) == names["members"]({}, user, other) == {}


def test_the_reference_lists_every_reason() -> None:
    cells = " ".join(row[0] for row in table_rows(read("docs/reference.rst")))

    assert [reason for reason in Reason if f"``{reason}``" not in cells] == []


def test_the_reference_shows_the_signatures_as_they_are() -> None:
    shown = re.findall(r"``((?:[a-z_]+\.)?[a-z_]+)\(([^`]*[=*][^`]*)\)``", read("docs/reference.rst"))
    unnamed = [django_introspection, services, revoking, django_introspection.TokenInfo]

    assert len(shown) > 5
    for name, arguments in shown:
        module, _, function = name.rpartition(".")
        places = [importlib.import_module(f"django_introspection.{module}")] if module else unnamed
        (found,) = {getattr(place, function) for place in places if hasattr(place, function)}
        scope: dict[str, Any] = {}
        exec(f"def shown({arguments}): ...", scope)  # noqa: S102 - a page of our own
        assert kinds_of(scope["shown"]).items() <= kinds_of(found).items(), name


def kinds_of(function: Any) -> dict[str, Any]:
    """Return how each argument is given: by place, by name or both."""
    return {each.name: each.kind for each in inspect.signature(function).parameters.values()}


def named_in(rows: Iterator[tuple[str, ...]], pattern: str) -> set[str]:
    return {name for cells in rows for name in re.findall(pattern, cells[0])}


def test_the_settings_page_lists_every_setting_and_no_other() -> None:
    assert named_in(table_rows(read("docs/settings.rst")), r"^``([A-Z_]+)``$") == SETTING_NAMES


def test_the_pages_of_the_backends_name_every_option_and_no_other() -> None:
    taken = backend_options()
    pages = [read(page) for page in PAGES if page.startswith(("docs/settings", "docs/remote-backend", "docs/backends"))]
    rows = set().union(*(named_in(table_rows(page), r"^``([a-z_]+)``$") for page in pages))

    assert [name for name in taken if f"``{name}``" not in "".join(pages)] == []
    assert rows - taken == {*METHODS, *BEARER_METHODS, NO_METHOD}


def test_the_settings_page_says_the_defaults(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}
    rows = {cells[0].strip("`"): cells[1] for cells in table_rows(read("docs/settings.rst"))}

    for key in ("ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME", "LEEWAY"):
        assert rows[key].startswith(f"``{getattr(introspection_settings, key)}``")


def test_the_reference_lists_every_check_with_its_hint() -> None:
    rows = [cells for cells in table_rows(read("docs/reference.rst")) if cells[0].startswith(f"``{TAG}.")]

    assert {re.findall(r"\.(\w+)``", cells[0])[0]: cells[2] for cells in rows} == HINTS


@pytest.mark.parametrize(
    "public",
    [
        django_introspection.__all__,
        exceptions.__all__,
        models.__all__,
        [name for name in vars(signals) if name.islower() and isinstance(getattr(signals, name), signals.Signal)],
    ],
    ids=["package", "exceptions", "models", "signals"],
)
def test_the_reference_lists_every_public_name(public: list[str]) -> None:
    reference = read("docs/reference.rst")

    assert public
    assert [name for name in public if not re.search(rf"``(?:\w+\.)*{name}\b", reference)] == []


def test_the_settings_page_lists_every_backend() -> None:
    page = read("docs/settings.rst")

    assert [name for name in backends.__all__ if f"django_introspection.backends.{name}" not in page] == []


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "## [Unreleased]" in read("CHANGELOG.md")
    assert read("LICENSE").startswith("BSD 3-Clause License")
