"""One frame for every own page of the admin: one style sheet whose rules and classes match, one page for a refusal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser

import django_introspection
from tests import factories
from tests.admin.client_pages import page_of

ROOT = Path(django_introspection.__file__).parent
SHEETS = {
    "admin.css": ("templates/admin/**/*.html", "admin/*.py", "static/**/*.js"),
    "self_service.css": ("templates/introspection/**/*.html", "self_service/*.py"),
}
"""Each style sheet, and the files that use its classes."""
CLASS = re.compile(r"introspection-[a-z]+(?:-[a-z]+)*")
IDS = re.compile(r'\bid="[^"]*"|aria-labelledby="[^"]*"')
TOKENS = "/admin/introspection/token/"


def test_the_admin_has_one_style_sheet_and_the_pages_for_people_another() -> None:
    assert {path.name for path in ROOT.glob("static/**/*.css")} == set(SHEETS)


@pytest.mark.parametrize("name", SHEETS)
def test_every_class_has_a_rule_in_its_style_sheet(name: str) -> None:
    sources = [source for pattern in SHEETS[name] for source in ROOT.glob(pattern)]
    used = {name for source in sources for name in CLASS.findall(IDS.sub("", source.read_text()))}

    assert used == set(re.findall(rf"\.({CLASS.pattern})", (ROOT / "static/introspection" / name).read_text()))


@pytest.mark.parametrize(
    ("page", "codenames", "missing"),
    [
        ("client secret", ("view_client",), "change_client"),
        ("client activity", ("view_client",), "change_client"),
        ("client revoke", ("view_client",), "revoke_token"),
        ("client revoke", (), "view_client"),
        ("issue", (), "issue_token"),
        ("debugger", (), "view_token"),
        ("overview", (), "view_token"),
        ("revoke", ("view_token",), "revoke_token"),
        ("user", ("view_token",), "revoke_token"),
    ],
)
def test_every_page_refuses_in_the_same_words(
    staff_browser: Any, machine: Any, page: str, codenames: tuple[str, ...], missing: str
) -> None:
    token = factories.TokenFactory(client=machine.client).token
    staff = staff_browser(*codenames)
    path = {
        "issue": f"{TOKENS}issue/",
        "debugger": f"{TOKENS}debugger/",
        "overview": f"{TOKENS}overview/",
        "revoke": f"{TOKENS}{token.pk}/revoke/",
        "user": f"{TOKENS}user/1/revoke/",
    }.get(page) or page_of(machine.client, page.removeprefix("client "))

    answers = [staff.get(path), staff.post(path)]

    for answer in answers:
        assert answer.status_code == 403
        assert f'<code dir="ltr">introspection.{missing}</code>' in answer.content.decode()
        assert "Permission denied" in answer.content.decode()


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_every_page_takes_the_methods_of_a_form_alone(browser: Browser, machine: Any, method: str) -> None:
    token = factories.TokenFactory(client=machine.client).token
    pages = [f"{TOKENS}{page}/" for page in ("issue", "debugger", "overview", f"{token.pk}/revoke", "user/1/revoke")]

    for path in [*pages, *(page_of(machine.client, page) for page in ("secret", "activity", "revoke"))]:
        assert getattr(browser, method)(path).status_code == 405, path
