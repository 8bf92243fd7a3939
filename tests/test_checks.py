"""System checks: every id once, and no settings that end in a traceback."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import call_command
from django.db import connection, transaction
from django.test import modify_settings, override_settings

from django_introspection.authorization_server.checks import check_policies
from django_introspection.check_messages import HINTS, TAG
from django_introspection.models import Client
from tests import jose
from tests.authorization_server.helpers import without_table
from tests.factories import RegistrationFactory
from tests.misbehaving.server import remote_settings
from tests.projects.run import run_module
from tests.settings import ISSUER

SECRET = "do-not-show-this-secret"
ORDERS = "https://api.example.com/orders"
SERVER = "https://auth.example.com/introspect"
REMOTE = remote_settings(SERVER, audience=ORDERS)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 10**6},
    },
    "local": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}


def messages(values: Any, **others: Any) -> list[checks.CheckMessage]:
    """Run our checks as `check --deploy` does."""
    others = {"CACHES": CACHES, **others}
    with override_settings(TOKEN_INTROSPECTION=values, **others):
        return checks.run_checks(tags=[TAG], include_deployment_checks=True)


def ids(values: Any, **others: Any) -> list[str]:
    return [str(message.id) for message in messages(values, **others)]


def default(**entry: Any) -> dict[str, Any]:
    return {"ISSUER": ISSUER, "BACKENDS": {"default": entry}}


OWN = "django_introspection.backends.DatabaseBackend"
AUDIENCE = {"BACKEND": OWN, "OPTIONS": {"audience": ORDERS}}
BY_NAME = {
    "RESOLVER": "django_introspection.resource_server.local_users.LocalUser",
    "OPTIONS": {"claim": "sub"},
}


def several(user: Any = None, **servers: Any) -> dict[str, Any]:
    """Return several authorization servers by alias, all with the same resolver."""
    remote = REMOTE["BACKENDS"]["default"]
    common = {"client_id": "orders-api", "client_secret": SECRET, "audience": ORDERS}
    backends = {
        alias: {"BACKEND": remote["BACKEND"], "OPTIONS": common | options, **({"USER": user} if user else {})}
        for alias, options in servers.items()
    }
    return {"ISSUER": ISSUER, "BACKENDS": backends}


def kept(**cache: Any) -> dict[str, Any]:
    return {"BACKENDS": {"default": {**REMOTE["BACKENDS"]["default"], "CACHE": cache}}}


SPEAKING = {
    "E001": {"ISSUER": ISSUER, "ISUER": SECRET},
    "E002": {"ISSUER": "http://auth.example.com"},
    "E003": default(BACKEND=OWN, OPTIONS={"audiense": SECRET}),
    "W001": {"ISSUER": ISSUER, **remote_settings(SERVER, audience=ORDERS, verify=False)},
    "W002": {},
    "W003": {"ISSUER": ISSUER, "TRUSTED_PROXIES": ["10.0.0.0/8", "::/0"]},
    "E005": {"ISSUER": ISSUER, "SIGNING_KEYS": [{"KEY": SECRET}]},
    "W005": {"ISSUER": ISSUER, **remote_settings(SERVER)},
    "W006": {"ISSUER": ISSUER, **remote_settings("http://auth.example.com/x", audience=ORDERS, insecure_http=True)},
    "W007": {"ISSUER": ISSUER, **kept(ALIAS="local")},
    "W008": {"ISSUER": ISSUER, "REVOCATIONS": {}, **kept(LOCAL_MAX_AGE=5)},
    "W009": {"ISSUER": ISSUER, "LEEWAY": 301},
    "E007": {"ISSUER": ISSUER, **REMOTE, "SERVICES": {"billing": {"client_secret": SECRET}}},
    "E010": {"ISSUER": ISSUER, "PROTECTED_PATHS": {"/api/": {"SCOPE": "orders:read"}}},
    "E012": default(BACKEND=OWN, OPTIONS={"audience": ORDERS}, USER=f"shop.{SECRET}"),
    "W013": default(BACKEND=OWN, OPTIONS={"audience": "orders"}),
    "W014": default(BACKEND=OWN, OPTIONS={"audience": f"{ORDERS}?version=1"}),
    "W016": {"ISSUER": ISSUER, "LEAKS": {"MAIL": ["admins"]}},
    "E032": several(
        default={"issuer": SERVER}, b={"issuer": SERVER, "introspection_url": "https://evil.example/introspect"}
    ),
    "E033": several(
        {**BY_NAME, "OPTIONS": {"create": "always"}}, default={"introspection_url": f"{SERVER}/introspect"}
    ),
    "E034": several(BY_NAME, default={"issuer": SERVER}, b={"issuer": "https://beta.example"}),
    "E030": {"ISSUER": ISSUER, "CLIENT_SOURCES": ["no.such.source"]},
    "W030": {"ISSUER": ISSUER, "CLIENT_POLICY": "any"},
    "W032": {"ISSUER": ISSUER, "CLIENT_LOCAL_MAX_AGE": 61},
    "W033": {"ISSUER": ISSUER, "BEARER_WITHOUT_AUDIENCE": True},
    "W034": {"ISSUER": "http://127.0.0.1:8000"},
    "E070": {"ISSUER": ISSUER, "METADATA": {"token_endpoint": "https://evil.example/token"}},
    "E072": {"ISSUER": ISSUER, "CLIENT_CERTIFICATES": {"FORM": "rfc9440"}},
    "W040": {"ISSUER": ISSUER, "COUNTERS": {"ALIAS": "local"}},
}
ELSEWHERE = {
    *("W031", "E071", "E004", "W010", "E011", "E013", "E014", "E025", "E026", "E027", "E031", "W011", "W012"),
    *("E040", "E041", "E042", "E043", "W050", "W051", "W052", "W053", "W054", "W055"),
    *("E044", "E045", "E046", "E047", "E048", "W056", "W057", "W058", "E060", "W060", "E090", "E091", "E092"),
    *("W015", "E073"),
    *("E080", "E081", "W080"),
    *("E110", "E111", "W110"),
    *("E080", "E081", "E082", "E083", "W080"),
}
"""Need more than settings: a project with or without other packages, a database that may be asked, views."""


def test_every_id_of_the_table_has_a_test() -> None:
    assert HINTS.keys() == SPEAKING.keys() | ELSEWHERE


@pytest.mark.requirement("7662-4-j")
@pytest.mark.parametrize(("number", "values"), SPEAKING.items(), ids=SPEAKING)
def test_each_check_speaks_alone_with_its_level_hint_and_place(number: str, values: Any) -> None:
    (message,) = messages(values)

    assert message.id == f"introspection.{number}"
    assert message.level == (checks.ERROR if number.startswith("E") else checks.WARNING)
    assert message.hint == HINTS[number]
    assert message.msg.startswith("TOKEN_INTROSPECTION[")
    assert SECRET not in message.msg


def test_the_anonymous_user_of_an_app_that_is_not_installed_is_an_error() -> None:
    removed = ["django.contrib.admin", "django.contrib.auth", "django_introspection"]
    with modify_settings(INSTALLED_APPS={"remove": removed, "append": "django_introspection.resource_server"}):
        if apps.is_installed("django.contrib.auth"):  # pragma: no cover
            pytest.fail("contrib.auth is still there")
        assert ids(REMOTE | {"ISSUER": ISSUER}) == ["introspection.E004"]
        assert ids(REMOTE | {"ISSUER": ISSUER}, REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}) == []


def database_messages(databases: list[str] | None) -> list[str]:
    found = checks.run_checks(include_deployment_checks=True, databases=databases)
    return [message.msg for message in found if message.id == "introspection.W010"]


@pytest.mark.django_db
def test_check_deploy_names_clients_that_see_every_token(
    django_assert_num_queries: Any,
) -> None:
    for policy in ("none", "own", "audience", "any"):
        RegistrationFactory(client_id=policy, introspection_policy=policy)
    RegistrationFactory(client_id="disabled", introspection_policy="any", is_active=False)

    with django_assert_num_queries(0):
        assert check_policies(databases=None) == check_policies(databases=["another"]) == []
    assert database_messages(None) == []
    assert database_messages(["default"]) == ["The client 'any' may read every access token."]
    assert checks.run_checks(tags=[TAG], databases=["default"]) == []


@pytest.mark.django_db(transaction=True)
def test_the_check_of_policies_is_silent_before_the_tables_are_there_and_spoils_no_transaction() -> None:
    with without_table(Client), transaction.atomic():
        assert database_messages(["default"]) == []
        connection.cursor().execute("SELECT 1")


@pytest.mark.requirement("9701-6-a")
def test_a_client_whose_answers_cannot_be_signed_is_reported(db: None) -> None:
    client = RegistrationFactory(introspection_signed_response_alg="ES256").client
    signing = {"ISSUER": ISSUER, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}, {"KEY": jose.pem("RS256")}]}
    for values, expected in [
        ({}, ["introspection.E071"]),
        ({"ISSUER": ISSUER, "SIGNING_KEYS": signing["SIGNING_KEYS"][1:]}, ["introspection.E071"]),
        (signing, []),
        ({"ISSUER": ISSUER, "SIGNING_KEYS": [{"KEY": SECRET}]}, []),
    ]:
        with override_settings(TOKEN_INTROSPECTION=values):
            ran = checks.run_checks(include_deployment_checks=True, databases=["default"])
            found = [message for message in ran if message.id == "introspection.E071"]
            assert [message.id for message in found] == expected
            assert all(client.client_id in str(message.msg) for message in found)


def test_good_settings_are_silent() -> None:
    assert ids({"ISSUER": ISSUER, **REMOTE}) == []
    assert ids(default(BACKEND=OWN, OPTIONS={"audience": ["https://api.example.com/orders"]})) == []


def test_risks_are_named_in_deployment_alone() -> None:
    for number in ("W001", "W002", "W030"):
        with override_settings(TOKEN_INTROSPECTION=SPEAKING[number], CACHES=CACHES):
            assert checks.run_checks(tags=[TAG]) == []


def ordinary(**options: Any) -> list[str]:
    """Return the ids that `check` reports without --deploy, of a RemoteBackend and with the views of this project."""
    with override_settings(TOKEN_INTROSPECTION={"ISSUER": ISSUER, **remote_settings(SERVER, **options)}, CACHES=CACHES):
        return [str(message.id).removeprefix(f"{TAG}.") for message in checks.run_checks(tags=[TAG])]


def test_a_forgotten_audience_is_reported_before_the_deployment_and_none_on_purpose_is_not() -> None:
    assert ordinary() == ["W005"]
    assert ordinary(audience=None) == []
    assert ordinary(audience=ORDERS) == []


def test_the_backend_of_the_introspection_endpoint_alone_needs_no_audience() -> None:
    further = {"endpoint": remote_settings(SERVER)["BACKENDS"]["default"], "default": REMOTE["BACKENDS"]["default"]}
    values = {"ISSUER": ISSUER, "BACKENDS": further, "INTROSPECTION_BACKEND": "endpoint"}

    assert ids(values) == []
    protecting = {**values, "PROTECTED_PATHS": {"/api/": {"USING": "endpoint"}}}
    assert sorted(ids(protecting)) == ["introspection.E010", "introspection.W005"]


def test_an_audience_of_none_is_no_audience_where_one_is_required() -> None:
    jwt = default(BACKEND="django_introspection.backends.JWTBackend", OPTIONS={"issuer": ISSUER, "audience": None})

    assert ids(jwt) == ["introspection.E003"]


def test_an_issuer_of_none_is_no_issuer() -> None:
    assert ids({"ISSUER": None}) == ["introspection.W002"]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    values = {
        "ISUER": 1,
        "ISSUER": 2,
        "LEEWAY": -1,
        "BACKENDS": {"a": {"BACKEND": "no.such"}, "b": {}, "c": {"BACKEND": OWN, "OPTIONS": {"audience": ORDERS}}},
    }

    assert sorted(ids(values)) == [
        f"introspection.{number}" for number in ("E001", "E002", "E002", "E003", "E003", "E041")
    ]


@pytest.mark.requirement("7662-4-j")
def test_plain_http_to_another_machine_is_an_error() -> None:
    (message,) = messages({"ISSUER": ISSUER, **remote_settings("http://auth.example.com/introspect")})

    assert message.id == "introspection.E003"
    problem = "must be an https URL; plain http is only for loopback addresses, unless 'insecure_http' is True."
    assert f"['introspection_url'] {problem}" in message.msg


HOSTILE: dict[str, Any] = {
    "None": None,
    "list": [],
    "string": SECRET,
    "number": 7,
    "keys of all kinds": {1: 1, None: 2, "x": 3, (1, 2): 4},
    "issuer number": {"ISSUER": 1},
    "issuer empty": {"ISSUER": ""},
    "issuer broken": {"ISSUER": "https://["},
    "issuer with query": {"ISSUER": "https://a/?b"},
    "issuer with control characters": {"ISSUER": "https://a\r\nb/"},
    "lifetime string": {"ACCESS_TOKEN_LIFETIME": "3600"},
    "lifetime of a million years": {"ACCESS_TOKEN_LIFETIME": 10**14},
    "lifetime boolean": {"ACCESS_TOKEN_LIFETIME": True},
    "lifetime nothing": {"REFRESH_TOKEN_LIFETIME": 0},
    "idle nothing": {"REFRESH_TOKEN_IDLE": 0},
    "grace negative": {"REFRESH_GRACE": -1},
    "resources list": {"RESOURCES": [SECRET]},
    "resources of all kinds": {"RESOURCES": {1: {}, None: {}}},
    "resource with fragment": {"RESOURCES": {"https://a/#b": {}}},
    "resource None": {"RESOURCES": {ORDERS: None}},
    "resource with unknown keys": {"RESOURCES": {ORDERS: {"SCOPE": SECRET, 1: 2}}},
    "resource scopes string": {"RESOURCES": {ORDERS: {"SCOPES": "orders:read"}}},
    "resource scopes of lists": {"RESOURCES": {ORDERS: {"SCOPES": [[]]}}},
    "resource scope of two": {"RESOURCES": {ORDERS: {"SCOPES": ["a b"]}}},
    "resource scope empty": {"RESOURCES": {ORDERS: {"SCOPES": [""]}}},
    "resource default number": {"RESOURCES": {ORDERS: {"DEFAULT": 1}}},
    "resources with two defaults": {"RESOURCES": {ORDERS: {"DEFAULT": True}, "urn:b": {"DEFAULT": True}}},
    "revocations string": {"REVOCATIONS": "default"},
    "revocations with unknown keys": {"REVOCATIONS": {"ALAIS": SECRET, 1: 2}},
    "revocations alias unknown": {"REVOCATIONS": {"ALIAS": SECRET}},
    "revocations alias list": {"REVOCATIONS": {"ALIAS": []}},
    "revocations prefix number": {"REVOCATIONS": {"PREFIX": 1}},
    "revocations prefix with spaces": {"REVOCATIONS": {"PREFIX": "a b"}},
    "revocations prefix too long": {"REVOCATIONS": {"PREFIX": "a" * 101}},
    "leeway negative": {"LEEWAY": -1},
    "leeway float": {"LEEWAY": 0.5},
    "subject relative": {"SUBJECT": ".x"},
    "subject missing": {"SUBJECT": "no.such.function"},
    "subject list": {"SUBJECT": []},
    "subject number": {"SUBJECT": 7},
    "members missing": {"MEMBERS": "no.such.function"},
    "members relative": {"MEMBERS": ".hooks.members"},
    "members list": {"MEMBERS": [SECRET]},
    "members no function": {"MEMBERS": "django_introspection.conf.DAY"},
    "throttle string": {"THROTTLE": SECRET},
    "throttle unknown entry": {"THROTTLE": {"PERIODS": SECRET}},
    "throttle wrong entry": {"THROTTLE": {"PERIOD": SECRET}},
    "feed no such cache": {"REVOCATION_FEED": {"ALIAS": SECRET}},
    "feed cache no string": {"REVOCATION_FEED": {"ALIAS": [SECRET]}},
    "throttle no such cache": {"THROTTLE": {"ALIAS": SECRET}},
    "proxies string": {"TRUSTED_PROXIES": "10.0.0.0/8"},
    "proxies of names": {"TRUSTED_PROXIES": [SECRET]},
    "keys string": {"SIGNING_KEYS": SECRET},
    "keys of strings": {"SIGNING_KEYS": [SECRET]},
    "keys of None": {"SIGNING_KEYS": [None]},
    "key of nothing": {"SIGNING_KEYS": [{}]},
    "key in two places": {"SIGNING_KEYS": [{"KEY": SECRET, "FILE": SECRET}]},
    "key with unknown members": {"SIGNING_KEYS": [{"KEY": SECRET, "SIGNING_KEYS": SECRET, 1: SECRET}]},
    "key number": {"SIGNING_KEYS": [{"KEY": 7}]},
    "key in a file that is not there": {"SIGNING_KEYS": [{"FILE": f"/nonexistent/{SECRET}"}]},
    "key in a file of NUL": {"SIGNING_KEYS": [{"FILE": "\0"}]},
    "key in a variable that is not there": {"SIGNING_KEYS": [{"ENV": "NO_SUCH_VARIABLE"}]},
    "key of an unknown algorithm": {"SIGNING_KEYS": [{"KEY": SECRET, "ALG": "HS256"}]},
    "key of an algorithm list": {"SIGNING_KEYS": [{"KEY": SECRET, "ALG": ["RS256"]}]},
    "key with an empty name": {"SIGNING_KEYS": [{"KEY": SECRET, "KID": ""}]},
    "replay cache missing": {"REPLAY_CACHE": SECRET},
    "replay cache list": {"REPLAY_CACHE": []},
    "jwks hosts string": {"JWKS_HOSTS": SECRET},
    "jwks hosts of numbers": {"JWKS_HOSTS": [1]},
    "introspects unknown": {"INTROSPECTION_BACKEND": SECRET},
    "introspects list": {"INTROSPECTION_BACKEND": []},
    "introspects broken backends": {"INTROSPECTION_BACKEND": "default", "BACKENDS": SECRET},
    "client sources string": {"CLIENT_SOURCES": SECRET},
    "client sources none": {"CLIENT_SOURCES": []},
    "client sources of numbers": {"CLIENT_SOURCES": [1]},
    "client source of a function": {"CLIENT_SOURCES": ["django.core.checks.run_checks"]},
    "client source of the base": {
        "CLIENT_SOURCES": ["django_introspection.authorization_server.client_sources.ClientSource"]
    },
    "client policy unknown": {"CLIENT_POLICY": SECRET},
    "client policy list": {"CLIENT_POLICY": []},
    "bearer without audience number": {"BEARER_WITHOUT_AUDIENCE": 1},
    "backends list": {"BACKENDS": []},
    "backends string": {"BACKENDS": "default"},
    "backends of numbers": {"BACKENDS": {1: 1, 2: 2}},
    "backend None": {"BACKENDS": {"default": None}},
    "backend without a path": default(OPTIONS={}),
    "backend path number": default(BACKEND=7),
    "backend path list": default(BACKEND=[SECRET]),
    "backend path relative": default(BACKEND=".x"),
    "backend path of a module": default(BACKEND="django_introspection.backends"),
    "backend path of a function": default(BACKEND="django.core.checks.run_checks"),
    "backend path of the base": default(BACKEND="django_introspection.backends.TokenBackend"),
    "backend path of a module that raises": default(BACKEND="django.contrib.sites.models.Site"),
    "backend with keys of all kinds": {"BACKENDS": {"default": {"BACKEND": OWN, 1: 2, "x": 3}}},
    "options None": default(BACKEND=OWN, OPTIONS=None),
    "options list": default(BACKEND=OWN, OPTIONS=[SECRET]),
    "options with keys of all kinds": default(BACKEND=OWN, OPTIONS={1: SECRET, "b": SECRET, None: SECRET}),
    "audience number": default(BACKEND=OWN, OPTIONS={"audience": 1}),
    "audience of lists": default(BACKEND=OWN, OPTIONS={"audience": [[SECRET]]}),
    **{
        f"remote {name} {value!r:.20}": remote_settings("https://auth.example.com/i", **{name: value})
        for name, value in [
            ("introspection_url", "https://[::1"),
            ("introspection_url", "https://a:b:c/"),
            ("introspection_url", 5),
            ("client_id", {}),
            ("client_secret", object()),
            ("timeout", 10**400),
            ("timeout", 1e300),
            ("timeout", SECRET),
            ("verify", "\0"),
            ("verify", "/"),
            ("verify", __file__),
            ("verify", 10**400),
            ("auth_method", {}),
            ("auth_method", "none"),
            ("require_token_type", None),
            ("issuer", []),
            ("client_secrets", SECRET),
        ]
    },
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
def test_no_settings_end_in_a_traceback_and_each_is_an_error(values: Any) -> None:
    found = messages(values)

    assert any(message.level == checks.ERROR for message in found)
    assert all(str(message.id).removeprefix("introspection.") in HINTS for message in found)
    assert SECRET not in str(found)


@pytest.mark.django_db  # Django's own checks may ask what the database can do
def test_the_whole_project_passes_its_checks(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", fail_level="WARNING")

    assert "no issues" in capsys.readouterr().out


@pytest.mark.processes
def test_both_apps_together_say_nothing_twice() -> None:
    said = run_module("tests.projects.resource_only.both_apps", "tests.settings")

    assert said.split() == ["introspection.W002"]
