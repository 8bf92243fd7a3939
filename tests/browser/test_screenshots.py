"""The pictures of our pages in README and documentation: `make screenshots` writes them, `make browser` tries it."""

from __future__ import annotations

import io
import os
import random
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.personal_tokens.models import PersonalToken
from tests import endpoints, factories
from tests.personal_tokens.conftest import PERSONAL_TOKENS, make
from tests.security_events.streams import received_streams, sent_streams
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator", "same_values_each_time")]

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "images"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TALLEST = 1250
PHONE = 390
COLOURS = 48
LARGEST = 60_000
"""Bytes of a picture."""
SCOPES = {"Shop": "orders:read orders:write", "Depot": "orders:read", "Billing": "orders:read"}
BOTTOM = """() => {
  const content = document.querySelector('#content') ?? document.querySelector('main')
  return Math.ceil(content.getBoundingClientRect().bottom)
}"""

Photograph = Callable[..., None]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the pictures go; `make screenshots` names the directory of the documentation."""
    return Path(os.environ.get("PICTURES") or tmp_path)


@pytest.fixture
def same_values_each_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fix what a picture shows of times and random values."""
    known = random.Random(7662)  # noqa: S311 - the values are never used
    monkeypatch.setattr(secrets, "randbits", known.getrandbits)
    monkeypatch.setattr(secrets, "token_hex", lambda size: known.randbytes(size).hex())
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def photograph(page: Any, directory: Path) -> Photograph:
    """Write pictures of the page, as a desktop and as a phone show it; they end above the element `until`."""

    def write(name: str, *, until: str = "", width: int = 1000, phone: bool = True) -> None:
        for file, screen in ((f"{name}.png", width), (f"{name}-phone.png", PHONE))[: 2 if phone else 1]:
            page.set_viewport_size({"width": screen, "height": 600})
            bottom = page.locator(until).bounding_box()["y"] - 12 if until else page.evaluate(BOTTOM)
            clip = {"x": 0, "y": 0, "width": screen, "height": min(bottom, TALLEST)}
            picture = reduced(page.screenshot(full_page=True, clip=clip, animations="disabled"))
            (directory / file).write_bytes(picture)
            assert len(picture) < LARGEST, file
            assert (COMMITTED / file).exists(), f"{file} is new: run make screenshots"

    page.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    return write


def reduced(picture: bytes) -> bytes:
    """Reduce a picture to a palette, which takes a quarter of the bytes."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


@pytest.fixture
def shop(same_values_each_time: None) -> None:
    """Clients and users, and the tokens of two weeks."""
    users = [
        factories.UserFactory(pk=pk, username=name) for pk, name in ((1815, "ada"), (1906, "grace"), (1912, "alan"))
    ]
    clients = [
        factories.RegistrationFactory(client_id=name.lower(), client_name=name, scope=scope).client
        for name, scope in SCOPES.items()
    ]
    with time_machine.travel(NOW, tick=False) as clock:
        for hours in range(14 * 24, 0, -5):
            clock.move_to(NOW - timedelta(hours=hours))
            client, user = clients[hours % 7 % 3], users[hours % 3] if hours % 4 else None
            lifetime = timedelta(hours=30)
            issued = factories.TokenFactory(
                client=client, user=user, scope=client.scope, lifetime=lifetime, refresh=hours % 6 == 0
            )
            if hours % 11 == 0:
                revoke_token(issued.token, by=client)


def test_the_secret_of_a_new_client(page: Any, photograph: Photograph) -> None:
    page.goto("/admin/introspection/client/add/")
    page.get_by_role("radio", name="Resource server").check()
    page.get_by_label("Name:", exact=True).fill("Orders API")
    page.get_by_label("Resources served:").fill(AUDIENCE)
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("#client-secret").wait_for()

    photograph("admin-secret")


@pytest.mark.usefixtures("shop")
def test_the_list_of_tokens(page: Any, photograph: Photograph) -> None:
    Token.objects.filter(issued_at__lt=NOW - timedelta(days=2)).delete()
    page.goto("/admin/introspection/token/")

    photograph("admin-tokens", width=1200)


@pytest.mark.usefixtures("shop")
def test_the_debugger_explains_a_rejected_token(page: Any, photograph: Photograph) -> None:
    ada = factories.User.objects.get(username="ada")
    token = factories.TokenFactory(client=Client.objects.get(client_id="shop"), user=ada, audience=["urn:invoices"])
    page.goto("/admin/introspection/token/debugger/")
    page.get_by_label("Token:", exact=True).fill(token.access_token)
    page.get_by_role("button", name="Debug token").click()
    page.get_by_text("Rejected: wrong audience").wait_for()

    photograph("admin-debugger", until="text=What the backend answers")


@pytest.mark.usefixtures("shop")
def test_the_overview(page: Any, photograph: Photograph, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "COUNTERS": {}}
    machine = factories.RegistrationFactory()
    for _ in range(7):
        endpoints.introspect("unknown", auth=machine)
        endpoints.introspect("unknown", auth=endpoints.basic("nobody", "x" * 40))
    page.goto("/admin/introspection/token/overview/")
    page.get_by_text("Issued, by client").first.wait_for()

    photograph("admin-overview")


@pytest.fixture
def ada(same_values_each_time: None, operator: Any, log_in: Callable[[Any], Any], settings: Any) -> Any:
    """A person with two tokens, who is logged in in place of the operator."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "PERSONAL_TOKENS": PERSONAL_TOKENS}
    ada = log_in(factories.UserFactory(pk=1815, username="ada"))
    with time_machine.travel(NOW - timedelta(days=6), tick=False):
        laptop = make(ada, name="Laptop", lifetime=timedelta(days=7))
    PersonalToken.objects.filter(pk=laptop.row.pk).update(last_used_at=NOW - timedelta(hours=3))
    make(ada, name="Nightly report")
    return ada


@pytest.mark.usefixtures("ada")
def test_the_form_and_the_value_of_a_personal_token(page: Any, photograph: Photograph) -> None:
    page.goto("/account/tokens/new/")
    page.get_by_label("Name").fill("Build server")
    page.get_by_label("Description").fill("Builds the shop every night.")
    page.get_by_label("orders:read").check()
    page.get_by_label("Networks").fill("192.0.2.0/24")
    photograph("personal-token-form", width=800)

    page.get_by_role("button", name="Make token").click()
    page.locator(".introspection-value").wait_for()
    photograph("personal-token-value", width=800)


@pytest.mark.usefixtures("ada")
def test_the_list_of_personal_tokens(page: Any, photograph: Photograph) -> None:
    page.goto("/account/tokens/")

    photograph("personal-tokens", width=800)


def test_the_streams_of_security_events(page: Any, photograph: Photograph) -> None:
    received_streams()
    sent_streams()
    for kind in ("received", "sent"):
        page.goto(f"/admin/introspection_events/{kind}stream/")
        photograph(f"admin-{kind}-streams", width=1320, phone=False)
