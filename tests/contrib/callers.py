"""One question of a caller at the endpoint, in the debugger and on the command line, which must agree."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client as Browser

from tests import endpoints

DEBUGGER = "/admin/introspection/token/debugger/"


def assert_alike(token: str, caller: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> bool | None:
    """Return whether the token is active for the caller, None if the endpoint refuses the caller; all three agree."""
    client_id = caller[0].client_id
    response = endpoints.introspect(token, auth=caller)
    answer = _browser().post(DEBUGGER, {"token": token, "backend": "default", "caller": client_id})
    printed, code = _inspect(token, client_id, monkeypatch)
    if response.status_code != 200:
        verdict = answer.context.get("endpoint")
        assert (printed, code) == (None, 1)
        if verdict is None:
            assert response.status_code == 401
            assert "caller" in answer.context["form"].errors
        else:
            assert not verdict.accepted
            assert f"answers {response.status_code}" in str(verdict.advice.why)
        return None
    members, verdict = response.json(), answer.context["endpoint"]
    assert verdict.accepted is members["active"]
    assert ([name for name, _ in verdict.members] or ["active"]) == list(members)
    assert code == (0 if members["active"] else 4)
    assert printed == members if members["active"] else printed["reason"] == verdict.reason
    return bool(members["active"])


def _browser() -> Browser:
    operator, _ = get_user_model().objects.get_or_create(username="operator", is_staff=True, is_superuser=True)
    browser = Browser()
    browser.force_login(operator)
    return browser


def _inspect(token: str, client_id: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    monkeypatch.setenv("TOKEN", token)
    out, code = io.StringIO(), 0
    try:
        call_command(
            *("introspection_token", "inspect", "--token-env", "TOKEN", "--caller", client_id, "--json"), stdout=out
        )
    except CommandError as error:
        code = error.returncode
    return json.loads(out.getvalue() or "null"), code
