"""The option `audience_required`: a token that names an audience is for it, and one that names none may be accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from django_introspection import introspect, token_backends
from django_introspection.exceptions import InvalidBackend
from django_introspection.testing import FakeAuthorizationServer
from tests import factories
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

OTHER = "https://api.example.com/other"
BACKENDS = "django_introspection.backends"
Issue = Callable[..., str]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAuthorizationServer]:
    with FakeAuthorizationServer(audience=AUDIENCE) as running:
        yield running


@pytest.fixture(params=["DatabaseBackend", "RemoteBackend", "JWTBackend", "RoutingBackend"])
def configured(request: Any, server: FakeAuthorizationServer, settings: Any, db: None) -> Any:
    """Configure a backend of one kind with some options; returns what issues a token for some audiences."""

    def configure(**options: Any) -> Issue:
        own = {"audience": AUDIENCE, **options}
        remote = server.settings(**own)["BACKENDS"]["default"]
        keys = {"issuer": server.issuer, "insecure_http": True, "require_at_jwt": False}
        backends: dict[str, Any] = {
            "DatabaseBackend": {"BACKEND": f"{BACKENDS}.DatabaseBackend", "OPTIONS": own},
            "RemoteBackend": remote,
            "JWTBackend": {"BACKEND": f"{BACKENDS}.JWTBackend", "OPTIONS": {**keys, **own}},
            "RoutingBackend": {"BACKEND": f"{BACKENDS}.RoutingBackend", "OPTIONS": {"default": ["remote"]}},
        }
        aliases = {"remote": remote, "default": backends[request.param]}
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": aliases}
        return issue

    def issue(*audience: str) -> str:
        if request.param == "DatabaseBackend":
            return str(factories.TokenFactory(audience=list(audience)).access_token)
        return server.issue(aud=list(audience) or None, scope="a", jwt=request.param == "JWTBackend")

    return configure


@pytest.mark.parametrize(
    ("options", "without"), [({}, False), ({"audience_required": True}, False), ({"audience_required": False}, True)]
)
def test_a_token_is_accepted_by_the_audience_that_it_names(
    configured: Any, options: dict[str, Any], without: bool
) -> None:
    issue = configured(**options)

    assert introspect(issue(AUDIENCE)) is not None
    assert introspect(issue(OTHER, AUDIENCE)) is not None
    assert introspect(issue(OTHER)) is None
    assert (introspect(issue()) is not None) is without


def test_an_empty_audience_is_none_and_an_empty_name_is_one(server: FakeAuthorizationServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(audience=AUDIENCE, audience_required=False)

    assert introspect(server.issue(aud=[])) is not None
    assert introspect(server.issue(aud="")) is None
    assert introspect(server.issue(aud=[""])) is None


@pytest.mark.parametrize(
    ("backend", "options", "problem"),
    [
        ("DatabaseBackend", {"audience_required": False}, "needs the option audience"),
        ("DatabaseBackend", {"audience": None, "audience_required": False}, "needs the option audience"),
        ("DatabaseBackend", {"audience": AUDIENCE, "audience_required": "no"}, "must be True or False"),
        ("JWTBackend", {"audience": AUDIENCE, "audience_required": False, "issuer": "https://a.example"}, "RFC 9068"),
        ("RoutingBackend", {"audience_required": False, "default": ["default"]}, "needs the option audience"),
    ],
    ids=["without an audience", "any audience", "no flag", "strict JWTs", "routing"],
)
def test_a_combination_that_means_nothing_is_refused(
    backend: str, options: dict[str, Any], problem: str, settings: Any
) -> None:
    entry = {"BACKEND": f"{BACKENDS}.{backend}", "OPTIONS": options}
    own = TOKEN_INTROSPECTION["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own, "other": entry}}

    with pytest.raises(InvalidBackend, match=problem) as raised:
        token_backends["other"]

    assert "['OPTIONS']['audience_required']" in str(raised.value)
