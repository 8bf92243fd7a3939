"""The entries of SERVICES: mistakes are named at start-up, and the doctor tries each."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import checks
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from django_introspection.check_messages import TAG
from django_introspection.services.registry import services
from tests.misbehaving.server import CLIENT_ID, MisbehavingServer, refusing_url

from .conftest import ALIAS, TOKEN_PATH, options

SECRET = "do-not-show-this-secret"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
USUAL = {"token_url": "https://auth.example.com/token", "client_id": CLIENT_ID, "client_secret": SECRET}
PLACE = f"TOKEN_INTROSPECTION['SERVICES']['{ALIAS}']"


def entry(**further: Any) -> dict[str, Any]:
    own = USUAL | further
    return {name: value for name, value in own.items() if value is not None}


def messages(services: Any, *, deployment: bool = False) -> list[tuple[str, str]]:
    with override_settings(TOKEN_INTROSPECTION={"SERVICES": services}):
        found = checks.run_checks(tags=[TAG], include_deployment_checks=deployment)
    return [(str(each.id).removeprefix(f"{TAG}."), str(each.msg)) for each in found]


def test_valid_entries_have_no_message() -> None:
    exchange = {"grant_type": EXCHANGE, "actor": "own", "max_age": 0, "audience": ["a", "b"]}
    entra = {"grant_type": JWT_BEARER, "parameters": {"requested_token_use": "on_behalf_of"}}
    by_discovery = entry(token_url=None, issuer="https://auth.example.com")

    assert messages({"own": by_discovery, "exchange": entry(**exchange), "entra": entry(**entra)}) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("text", " must be a dictionary."),
        ([SECRET], " must be a dictionary."),
        (entry(client_secrets=SECRET), " has unknown keys: 'client_secrets' (did you mean 'client_secret'?)."),
        (entry(client_secret=None), "['client_secret'] is required."),
        (entry(client_id=None), "['client_id'] is required."),
        (entry(token_url=None), "['token_url'] is required, unless the option 'issuer' names an issuer"),
        (entry(token_url="http://auth.example.com/token"), "['token_url'] must be an https URL"),
        (entry(grant_type="password"), "['grant_type'] must be one of 'client_credentials', "),
        (entry(auth_method="bearer"), "['auth_method'] must be one of 'client_secret_basic', "),
        (entry(resource="billing"), "['resource'] must be an absolute URI."),
        (entry(resource=["https://a.example", "https://a.example/#b"]), "['resource'] must not have a fragment."),
        (entry(audience=[SECRET, 1]), "['audience'] must be a string or a list of different strings."),
        (entry(parameters={"scope": SECRET}), "['parameters'] must not set 'scope'."),
        (entry(parameters={"tenant": 1}), "['parameters'] must be a dictionary of strings by strings."),
        (entry(timeout=0), "['timeout'] must be a positive number of seconds"),
        (entry(max_age=60), " has unknown keys: 'max_age'."),
        (entry(subject_token_type="urn:a:b"), " has unknown keys: 'subject_token_type'."),
        (entry(grant_type=EXCHANGE, max_age=-1), "['max_age'] must be a number of seconds, at most 3600."),
        (entry(grant_type=EXCHANGE, max_age=True), "['max_age'] must be a number of seconds, at most 3600."),
        (
            entry(grant_type=EXCHANGE, subject_token_type="access_token"),
            "['subject_token_type'] must be a URI such",
        ),
        (entry(grant_type=EXCHANGE, requested_token_type="jwt"), "['requested_token_type'] must be a URI such as "),
        (entry(grant_type=EXCHANGE, actor="nobody"), "['actor'] must be an alias of SERVICES."),
        (entry(grant_type=JWT_BEARER, actor="own"), " has unknown keys: 'actor'."),
    ],
    ids=str,
)
def test_a_wrong_entry_is_an_error_that_names_the_place_and_no_value(wrong: Any, said: str) -> None:
    ((number, message),) = messages({ALIAS: wrong})

    assert number == "E007"
    assert message.startswith(PLACE + said)
    assert SECRET not in message


def test_services_must_be_a_dictionary() -> None:
    message = "TOKEN_INTROSPECTION['SERVICES'] must be a dictionary of aliases."

    assert messages(["billing"]) == [("E002", message)]


def test_risks_are_named_in_a_deployment() -> None:
    risky = {ALIAS: entry(verify=False), "plain": entry(token_url="http://auth.example.com/token", insecure_http=True)}

    assert messages(risky) == []
    found = [each for each in messages(risky, deployment=True) if "SERVICES" in each[1]]
    assert [(number, message.partition("]['")[2][:13]) for number, message in found] == [
        ("W001", "billing']['ve"),
        ("W006", "plain']['inse"),
    ]


def doctor(settings: Any, server: MisbehavingServer, **further: Any) -> list[tuple[str, str]]:
    """Return what the command finds about a service."""
    settings.TOKEN_INTROSPECTION = {"SERVICES": {ALIAS: options(server, **further)}}
    out = io.StringIO()
    with suppress(CommandError):
        call_command("introspection_doctor", "--json", stdout=out)
    findings = [each for each in json.loads(out.getvalue())["findings"] if each["about"] == f"service {ALIAS}"]
    assert all(each["mend"] for each in findings if each["severity"] != "ok")
    assert findings[0]["severity"] == "ok"
    return [(each["severity"], each["what"]) for each in findings[1:]]


pytestmark = pytest.mark.django_db


def test_the_doctor_gets_a_token(issued: list[str], token_server: MisbehavingServer, settings: Any) -> None:
    assert doctor(settings, token_server) == [("ok", "the server issues a token for 3600 s")]
    assert issued == ["service-token-0"]


@pytest.mark.parametrize("grant_type", ["client_credentials", EXCHANGE])
def test_the_doctor_names_what_the_server_refuses(
    grant_type: str, token_server: MisbehavingServer, settings: Any
) -> None:
    token_server.behave("status", at=TOKEN_PATH, code=401, content=b'{"error": "invalid_client"}')

    text = "the token endpoint refuses this client: 401 invalid_client"
    assert doctor(settings, token_server, grant_type=grant_type) == [("error", text)]


@pytest.mark.parametrize(
    ("error", "severity"),
    [("invalid_request", "ok"), ("invalid_grant", "ok"), ("invalid_target", "error"), ("invalid_scope", "error")],
)
def test_the_doctor_exchanges_a_token_that_was_never_issued(
    error: str, severity: str, token_server: MisbehavingServer, settings: Any
) -> None:
    content = json.dumps({"error": error, "error_description": "Not this one."}).encode()
    token_server.behave("status", at=TOKEN_PATH, code=400, content=content)

    text = f"the server refuses to exchange a random token: {error} (Not this one.)"
    assert doctor(settings, token_server, grant_type=EXCHANGE) == [(severity, text)]


def test_a_server_that_exchanges_every_token_is_an_error(
    issued: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    text = "the server exchanges a random token"
    assert doctor(settings, token_server, grant_type=EXCHANGE) == [("error", text)]


@pytest.mark.parametrize("grant_type", ["client_credentials", EXCHANGE])
def test_an_outage_is_an_error(grant_type: str, token_server: MisbehavingServer, settings: Any) -> None:
    token_server.behave("status", at=TOKEN_PATH, code=500)

    host = urlsplit(token_server.origin).netloc
    answers = ("error", f"the token endpoint of {host} answers 500")
    assert doctor(settings, token_server, grant_type=grant_type) == [answers]


def test_a_server_that_is_not_there_is_named(settings: Any) -> None:
    with refusing_url() as url:
        settings.TOKEN_INTROSPECTION = {"SERVICES": {ALIAS: entry(token_url=url)}}
        (finding,) = services[ALIAS].diagnose()

    assert finding.severity == "error"
    assert "takes no connection" in finding.what
