"""What this package reads of a user, whatever the user model."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import django_introspection
from django_introspection.user_models import is_active_user, login_name

SOURCE = Path(django_introspection.__file__).parent
READ_DIRECTLY = re.compile(r"\buser\.is_active\b|user__is_active")


@pytest.mark.parametrize(
    ("attributes", "is_active"), [({}, True), ({"is_active": True}, True), ({"is_active": False}, False)]
)
def test_a_user_without_is_active_is_active_as_in_django(attributes: dict[str, bool], is_active: bool) -> None:
    assert is_active_user(SimpleNamespace(**attributes)) is is_active


def test_the_login_name_is_that_of_the_model() -> None:
    assert login_name(SimpleNamespace(USERNAME_FIELD="email", email="a@example.com")) == "a@example.com"
    assert login_name(SimpleNamespace(get_username=lambda: "ada")) == "ada"


def test_is_active_is_read_by_the_helper_alone_and_queried_only_where_the_column_is_looked_for() -> None:
    found = {path for path in SOURCE.rglob("*.py") if READ_DIRECTLY.search(path.read_text())}

    assert {path.relative_to(SOURCE).as_posix() for path in found} == {
        "admin/token_state.py",
        "authorization_server/restoring.py",
    }
    assert all("user_has_column(" in path.read_text() for path in found)
