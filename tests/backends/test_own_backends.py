"""Mistakes in backends of projects: an error names the alias, and the doctor goes on."""

from __future__ import annotations

import io
import json
import traceback
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import TokenBackend
from django_introspection.check_messages import TAG
from django_introspection.exceptions import InvalidBackend
from django_introspection.protocol.answer import Answer, Inactive, Reason
from django_introspection.protocol.token_info import TokenInfo
from tests.resource_server.protected import ask, protect

pytestmark = pytest.mark.django_db
CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
SECRET = "do-not-show-this-secret"
WRONG: dict[str, Any] = {
    "None": None,
    "empty": {},
    "dict": {"active": True, "secret": SECRET},
    "bool": True,
    "info": TokenInfo({"sub": SECRET}),
    "text": SECRET,
}


class Wrong(TokenBackend):
    """Return what the options name."""

    def configure(self, options: Any) -> None:
        self.result = WRONG[options.required("result")]

    def introspect(self, token: str) -> Answer:
        result: Answer = self.result
        return result


class Raising(TokenBackend):
    """Raise an error that is no outage."""

    def introspect(self, token: str) -> Answer:
        raise ValueError(SECRET)


class Working(TokenBackend):
    """Know no token."""

    is_remote = False

    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class Unmakeable(Working):
    """Raise while the options are read."""

    def configure(self, options: Any) -> None:
        raise KeyError(SECRET)


def project(kind: type[TokenBackend], **options: Any) -> dict[str, Any]:
    own = {"audience": None, **options}
    working = {"BACKEND": f"{__name__}.Working", "OPTIONS": {"audience": None}}
    return {"BACKENDS": {"default": {"BACKEND": f"{__name__}.{kind.__name__}", "OPTIONS": own}, "working": working}}


def routed(kind: type[TokenBackend], **options: Any) -> dict[str, Any]:
    """Ask the backend `second` behind one that knows no token."""
    backends = project(kind, **options)["BACKENDS"]
    routing = {
        "BACKEND": "django_introspection.backends.RoutingBackend",
        "OPTIONS": {"default": ["working", "second"]},
    }
    return {"BACKENDS": {"default": routing, "second": backends["default"], "working": backends["working"]}}


def doctor() -> list[tuple[str, str, str]]:
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("introspection_doctor", "--json", stdout=out)
    assert SECRET not in out.getvalue()
    found = json.loads(out.getvalue())["findings"]
    return [(each["about"], each["severity"], each["what"]) for each in found]


@CALLS
@pytest.mark.parametrize("result", WRONG)
def test_a_result_that_is_no_answer_is_an_error_that_names_the_backend(call: Any, result: str) -> None:
    kind = type(WRONG[result]).__name__

    for value, alias in ((project(Wrong, result=result), "default"), (routed(Wrong, result=result), "second")):
        with override_settings(TOKEN_INTROSPECTION=value), pytest.raises(TypeError) as raised:
            call("abc")
        assert str(raised.value) == (
            f"The token backend {alias!r} returned {kind}, and must return Active or Inactive."
        )


def test_a_view_does_not_run_with_such_a_result() -> None:
    for result in WRONG:
        view = protect()
        with override_settings(TOKEN_INTROSPECTION=project(Wrong, result=result)), pytest.raises(TypeError):
            ask(view, "abc")
        assert view.ran == []


@CALLS
def test_an_error_of_a_backend_has_its_alias_in_the_report(call: Any) -> None:
    for value, alias in ((project(Raising), "default"), (routed(Raising), "second")):
        with override_settings(TOKEN_INTROSPECTION=value), pytest.raises(ValueError, match=SECRET) as raised:
            call("abc")
        report = "".join(traceback.format_exception(raised.value))
        assert f"The token backend {alias!r} raised it." in report


@pytest.mark.parametrize(
    ("kind", "options", "what"),
    [
        (Raising, {}, "it raised ValueError at test_own_backends.py:"),
        (Wrong, {"result": "None"}, "its introspect() returned NoneType, and must return Active or Inactive"),
        (Wrong, {"result": "dict"}, "its introspect() returned dict, and must return Active or Inactive"),
    ],
    ids=["raises", "None", "dict"],
)
def test_the_doctor_reports_a_mistake_and_tries_the_others(kind: Any, options: Any, what: str) -> None:
    with override_settings(TOKEN_INTROSPECTION=project(kind, **options)):
        found = doctor()

    ((severity, text),) = [each[1:] for each in found if each[0] == "backend default"]
    assert (severity, text.startswith(what)) == ("error", True)
    ((severity, text),) = [each[1:] for each in found if each[0] == "backend working"]
    assert (severity, text.startswith("a random token is inactive, in ")) == ("ok", True)
    assert [each for each in found if each[0] == "caches"]


def test_a_backend_whose_options_raise_is_an_invalid_one() -> None:
    with override_settings(TOKEN_INTROSPECTION=project(Unmakeable)):
        with pytest.raises(InvalidBackend) as raised:
            token_backends["default"]
        (message,) = [each for each in checks.run_checks(tags=[TAG]) if each.id == f"{TAG}.E003"]
        found = doctor()

    assert message.msg == str(raised.value)
    assert message.msg.startswith(
        "TOKEN_INTROSPECTION['BACKENDS']['default'] cannot be made: its class raised KeyError at test_own_backends.py:"
    )
    assert [each for each in found if each[0] == "backend working"]
