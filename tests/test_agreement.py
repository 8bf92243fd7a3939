"""Each token is judged once: the view, the endpoint, the debugger and the command give the same answer about it."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client as Browser

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client
from django_introspection.protocol.answer import Reason
from django_introspection.resource_server.users import TokenUser
from django_introspection.signals import token_introspected
from django_introspection.testing import FakeAuthorizationServer
from tests import endpoints, factories, jose
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

DEBUGGER = "/admin/introspection/token/debugger/"
REFUSED = re.compile(r"access token refused backend=default: ([^;]+)")
ACTIVE, UNAVAILABLE = "active", "unavailable"
OTHER = "https://api.example.com/other"
EXIT_CODES = {0: ACTIVE, 3: UNAVAILABLE}
BACKENDS = "django_introspection.backends"

SETUPS = {"database": ("own",), "remote": ("opaque",), "JWT": ("JWT",), "routing": ("own", "opaque", "JWT")}
"""Kinds of the default backend, and whose tokens it may know; of each other kind it gets one."""
PEOPLE = ("a client", "ada", "root", "disabled", "stranger")
"""The tokens that a resolver of users sees."""
RESOLVERS: dict[str, Any] = {
    "no resolver": None,
    "local users": {
        "RESOLVER": "django_introspection.resource_server.local_users.LocalUser",
        "OPTIONS": {"claim": "sub"},
    },
    "new local users": {
        "RESOLVER": "django_introspection.resource_server.local_users.LocalUser",
        "OPTIONS": {"claim": "sub", "create": "always"},
    },
    "staff as well": {
        "RESOLVER": "django_introspection.resource_server.local_users.LocalUser",
        "OPTIONS": {"claim": "sub", "allow_staff": True},
    },
    "a function": "tests.test_agreement.known_people",
    "a function that forbids": "tests.test_agreement.no_people",
    "a function without a database": "tests.test_agreement.unavailable_people",
}


def known_people(token_user: TokenUser, request: HttpRequest) -> Any:
    """Return the user, whether active or not, and None for a client or a stranger."""
    return get_user_model().objects.filter(username=token_user.token_info.sub or "").first()


def no_people(token_user: TokenUser, request: HttpRequest) -> Any:
    raise PermissionDenied


def unavailable_people(token_user: TokenUser, request: HttpRequest) -> Any:
    raise OperationalError


@pytest.fixture(scope="module")
def issuer() -> Iterator[FakeAuthorizationServer]:
    """An authorization server on a loopback port."""
    with FakeAuthorizationServer(audience=AUDIENCE) as server:
        yield server


@pytest.fixture(scope="module")
def foreign_tokens(issuer: FakeAuthorizationServer) -> dict[str, str]:
    """Tokens of the other server, by what is special about them."""
    named: dict[str, dict[str, Any]] = {
        "a client": {},
        "ada": {"sub": "ada"},
        "root": {"sub": "root"},
        "disabled": {"sub": "disabled"},
        "stranger": {"sub": "stranger"},
        "for another API": {"sub": "ada", "aud": OTHER},
        "for no API": {"sub": "ada", "aud": None},
        "of another issuer": {"sub": "ada", "iss": "https://other.example.com"},
        "not yet valid": {"sub": "ada", "nbf": 4_000_000_000, "exp": 4_000_000_001},
        "bound to a key": {"sub": "ada", "cnf": {"jkt": "x"}},
        "without a type": {"sub": "ada", "token_type": None},
        "revoked": {"sub": "ada"},
    }
    tokens = {
        f"{'JWT' if jwt else 'opaque'}: {name}": issuer.issue(jwt=jwt, **claims)
        for name, claims in named.items()
        for jwt in (False, True)
    }
    for jwt in ("opaque", "JWT"):
        issuer.revoke(tokens[f"{jwt}: revoked"])
    header, claims = jose.read(tokens["JWT: ada"])
    tokens["JWT: forged"] = jose.sign(header, claims, jose.key("ES256", "forger"))
    return tokens


@pytest.fixture
def own_tokens(db: None) -> dict[str, str]:
    """Tokens of this project's own database."""
    user = factories.UserFactory(username="ada")
    factories.UserFactory(username="root", is_staff=True)
    gone = factories.UserFactory(username="disabled")
    issued = {
        "machine": factories.TokenFactory(),
        "ada": factories.TokenFactory(user=user, refresh=True),
        "disabled": factories.TokenFactory(user=gone),
        "for another API": factories.TokenFactory(user=user, audience=[OTHER]),
        "revoked": factories.TokenFactory(user=user),
    }
    revoke_token(issued["revoked"].token, by=None)
    get_user_model().objects.filter(pk=gone.pk).update(is_active=False)
    tokens = {f"own: {name}": each.access_token for name, each in issued.items()}
    return {**tokens, "own: refresh": issued["ada"].refresh_token, "nonsense": "nonsense", "own: cut": "dit_at_cut"}


@pytest.fixture
def tokens(own_tokens: dict[str, str], foreign_tokens: dict[str, str]) -> dict[str, str]:
    return {**own_tokens, **foreign_tokens}


def played(tokens: dict[str, str], setup: str, *, only: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the tokens that tell something in a set-up."""
    kinds = (*SETUPS[setup], "nonsense")
    chosen = {name: token for name, token in tokens.items() if name.partition(":")[0] in kinds}
    if only:
        return {name: token for name, token in chosen.items() if name.partition(": ")[2] in only}
    others = {name.partition(":")[0]: name for name in tokens if name not in chosen}
    return {**chosen, **{name: tokens[name] for name in others.values()}}


def configuration(setup: str, issuer: FakeAuthorizationServer, resolver: Any = None, **further: Any) -> dict[str, Any]:
    """Return TOKEN_INTROSPECTION whose default backend is of one kind."""
    own = {"BACKEND": f"{BACKENDS}.DatabaseBackend", "OPTIONS": {"audience": AUDIENCE}}
    remote = issuer.settings()["BACKENDS"]["default"]
    verified = {"issuer": issuer.issuer, "audience": AUDIENCE, "then_ask": "remote", "insecure_http": True}
    default: dict[str, Any] = {
        "database": own,
        "remote": remote,
        "JWT": {"BACKEND": f"{BACKENDS}.JWTBackend", "OPTIONS": verified},
        "routing": {
            "BACKEND": f"{BACKENDS}.RoutingBackend",
            "OPTIONS": {"issuers": {issuer.issuer: "JWT"}, "default": ["own", "remote"]},
        },
    }
    named = {"own": own, "remote": remote, "JWT": default["JWT"], "default": {**default[setup]}}
    if resolver is not None:
        named["default"]["USER"] = resolver
    return {**TOKEN_INTROSPECTION, "BACKENDS": named, **further}


@pytest.fixture
def browser(own_tokens: dict[str, str]) -> Browser:
    browser = Browser()
    browser.force_login(factories.UserFactory(username="operator", is_staff=True, is_superuser=True))
    return browser


def view(token: str, caplog: pytest.LogCaptureFixture) -> str:
    """Return what a protected view makes of a token; the reason is in the log."""
    caplog.clear()
    answer = ask(protect(), token)
    if answer.status_code == 401:
        (reason,) = REFUSED.findall(caplog.text)
        return str(reason).strip()
    return {200: ACTIVE, 403: str(Reason.USER_REFUSED), 503: UNAVAILABLE}[answer.status_code]


def debugger(browser: Browser, token: str) -> str:
    verdict = browser.post(DEBUGGER, {"token": token, "backend": "default"}).context["here"]
    return ACTIVE if verdict.accepted else verdict.reason


def command(token: str, monkeypatch: pytest.MonkeyPatch) -> str:
    members, code = inspect(token, monkeypatch)
    return EXIT_CODES.get(code) or members["reason"]


def inspect(token: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[Any, int]:
    """Return the JSON and the exit code of the command."""
    monkeypatch.setenv("TOKEN", token)
    out = io.StringIO()
    code = 0
    try:
        call_command("introspection_token", "inspect", "--token-env", "TOKEN", *arguments, "--json", stdout=out)
    except CommandError as error:
        code = error.returncode
    return json.loads(out.getvalue() or "null"), code


@pytest.mark.processes
@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("setup", SETUPS)
def test_view_debugger_and_command_judge_alike(
    setup: str,
    resolver: str,
    issuer: FakeAuthorizationServer,
    tokens: dict[str, str],
    browser: Browser,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    settings.TOKEN_INTROSPECTION = configuration(setup, issuer, RESOLVERS[resolver])
    people = get_user_model().objects.count()
    tokens = played(tokens, setup, only=PEOPLE if RESOLVERS[resolver] else ())

    asked = {name: (debugger(browser, token), command(token, monkeypatch)) for name, token in tokens.items()}
    assert get_user_model().objects.count() == people, "a question made a user"
    truth = {name: view(token, caplog) for name, token in tokens.items()}

    assert asked == {name: (verdict, verdict) for name, verdict in truth.items()}
    assert RESOLVERS[resolver] or len(set(truth.values())) > 3, "the tokens tell nothing apart"


@pytest.mark.parametrize(
    ("setup", "resolver", "name", "truth"),
    [
        ("routing", "no resolver", "own: for another API", "wrong audience"),
        ("JWT", "no resolver", "JWT: revoked", "the authorization server says inactive"),
        ("JWT", "local users", "JWT: stranger", "no such user here"),
        ("JWT", "local users", "JWT: root", "its user is staff here"),
    ],
)
def test_what_a_copy_of_the_decision_once_got_wrong(
    setup: str,
    resolver: str,
    name: str,
    truth: str,
    issuer: FakeAuthorizationServer,
    tokens: dict[str, str],
    browser: Browser,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    settings.TOKEN_INTROSPECTION = configuration(setup, issuer, RESOLVERS[resolver])
    token = tokens[name]

    assert (debugger(browser, token), command(token, monkeypatch), view(token, caplog)) == (truth, truth, truth)


CALLERS: dict[str, dict[str, Any]] = {
    "serves the resource": {},
    "serves another resource": {"resources": [OTHER]},
    "its own tokens alone": {"introspection_policy": "own"},
    "every token": {"introspection_policy": "any", "visible_members": ["scope", "exp"]},
    "nothing": {"introspection_policy": "none"},
    "disabled": {"is_active": False},
}


@contextmanager
def reasons() -> Iterator[list[str]]:
    """Collect the reasons of inactive answers, which the endpoint gives to its signal alone."""
    heard: list[str] = []

    def hear(answer: Any, **_: Any) -> None:
        heard.append(ACTIVE if answer else str(answer.reason))

    token_introspected.connect(hear)
    try:
        yield heard
    finally:
        token_introspected.disconnect(hear)


@pytest.mark.parametrize(
    ("setup", "caller"),
    [
        *((None, caller) for caller in CALLERS),
        *(("remote", "every token"), ("JWT", "every token"), ("routing", "serves the resource")),
    ],
)
def test_endpoint_debugger_and_command_answer_alike(
    setup: str | None,
    caller: str,
    issuer: FakeAuthorizationServer,
    tokens: dict[str, str],
    browser: Browser,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = None if setup is None else "default"
    settings.TOKEN_INTROSPECTION = configuration(setup or "database", issuer, INTROSPECTION_BACKEND=own)
    registered = factories.ResourceServerFactory(**CALLERS[caller])
    client_id = registered.client.client_id
    for name, token in played(tokens, setup or "database").items():
        with reasons() as heard:
            response = endpoints.introspect(token, auth=registered)
        shown = browser.post(DEBUGGER, {"token": token, "backend": "default", "caller": client_id}).context["endpoint"]
        printed, code = inspect(token, monkeypatch, "--caller", client_id)
        if response.status_code != 200:
            assert caller in ("nothing", "disabled")
            assert (shown.accepted, code, printed) == (False, 1, None), name
            assert f"answers {response.status_code}" in str(shown.advice.why), name
            return
        members = response.json()
        assert ([member for member, _ in shown.members] or ["active"]) == list(members), name
        if members["active"]:
            assert (shown.accepted, code, printed) == (True, 0, members), name
        else:
            assert (shown.accepted, shown.reason, code, printed["reason"]) == (False, heard[0], 4, heard[0]), name


def test_the_endpoint_that_asks_another_backend_is_shown_as_it_answers(
    issuer: FakeAuthorizationServer,
    tokens: dict[str, str],
    browser: Browser,
    resource_server: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.TOKEN_INTROSPECTION = configuration("remote", issuer, INTROSPECTION_BACKEND="default")
    token, client_id = tokens["opaque: ada"], resource_server.client.client_id

    answer = browser.post(DEBUGGER, {"token": token, "backend": "default", "caller": client_id})

    assert endpoints.introspect(token, auth=resource_server).json()["active"] is True
    assert answer.context["endpoint"].accepted
    assert inspect(token, monkeypatch, "--caller", client_id)[1] == 0


def test_a_caller_without_a_row_of_its_own_is_no_caller(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    Client.objects.create(client_id="theirs", client_name="Theirs", token_endpoint_auth_method="elsewhere")

    answer = browser.post(DEBUGGER, {"token": "a-token", "backend": "default", "caller": "theirs"})

    assert "caller" in answer.context["form"].errors
    assert inspect("a-token", monkeypatch, "--caller", "theirs") == (None, 1)
