"""Clients that other sources know, whoever they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest

from django_introspection.authorization_server.client_sources import (
    CLIENT_INACTIVE,
    UNKNOWN_CLIENT,
    ClientResult,
    ClientSource,
    Rejection,
    client_by_id,
    client_sources,
)
from django_introspection.authorization_server.clients import DatabaseClients
from django_introspection.backends.base import TokenBackend
from django_introspection.management.commands.introspection_doctor import everything
from django_introspection.models import Client
from django_introspection.protocol.answer import Active, Answer, Inactive, Reason
from django_introspection.protocol.credentials import AssertionCredentials, SecretCredentials
from django_introspection.protocol.errors import TooManyRequests
from django_introspection.protocol.token_info import TokenInfo
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_inactive, assert_refused
from tests.settings import ISSUER

OWN = "django_introspection.authorization_server.clients.DatabaseClients"
OTHER = f"{__name__}.Partners"
MACHINE = {"token_type": "Bearer", "scope": "introspection", "client_id": "partner", "aud": [ISSUER]}


class Partners(ClientSource):
    """One client, `partner`, that keeps a list of what it had to do."""

    rejection = UNKNOWN_CLIENT
    work: list[str] = []
    key: str | None = "partners:1"
    answer: Answer = Active(TokenInfo(MACHINE))

    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        if (credentials.client_id, credentials.client_secret) == ("partner", "secret"):
            return Client(client_id="partner", introspection_policy="any")
        return self.rejection

    def by_id(self, client_id: str) -> ClientResult:
        return Client(client_id="partner", introspection_policy="any") if client_id == "partner" else self.rejection

    def key_of(self, client_id: str) -> str | None:
        return self.key if client_id == "partner" else None

    def by_assertion(self, credentials: AssertionCredentials) -> ClientResult:
        return Client(client_id="partner") if credentials.client_id == "partner" else super().by_assertion(credentials)

    def by_token(self, token: str) -> tuple[Client | None, Answer]:
        return (Client(client_id="partner"), self.answer) if token == "partners" else super().by_token(token)

    def verify_dummy_secret(self, request: HttpRequest, credentials: SecretCredentials) -> None:
        self.work.append(credentials.client_id)


class EveryToken(TokenBackend):
    def introspect(self, token: str) -> Answer:
        return Active(TokenInfo({"client_id": "everybody", "token_type": "Bearer"}))


@pytest.fixture(autouse=True)
def _sources(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_SOURCES": [OWN, OTHER]}
    monkeypatch.setattr(Partners, "work", [])


def partner(secret: str = "secret") -> str:
    return endpoints.basic("partner", secret)


@pytest.mark.parametrize("client_id", ["partner", "orders-api", "disabled", "nobody", "PARTNER", "ORDERS-API"])
def test_a_client_is_found_without_its_secret_in_the_source_that_authenticates_it(client_id: str) -> None:
    for name, active in (("orders-api", True), ("disabled", False)):
        factories.RegistrationFactory(client_id=name, is_active=active)

    found = client_by_id(client_id)

    if client_id == "disabled":
        assert found is CLIENT_INACTIVE
    elif client_id in ("partner", "orders-api"):
        assert isinstance(found, Client)
        assert found.client_id == client_id
    else:
        assert found is UNKNOWN_CLIENT


def test_a_source_that_knows_the_client_and_rejects_it_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Partners, "rejection", Rejection("not usable"))

    assert client_by_id("someone") == Rejection("not usable")


def test_our_own_tables_are_the_source_by_default(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    assert [type(source) for source in client_sources()] == [DatabaseClients]


def test_each_source_is_made_once(settings: Any) -> None:
    assert client_sources()[1] is client_sources()[1]


def test_a_source_that_is_none_says_where() -> None:
    with pytest.raises(
        ImproperlyConfigured,
        match=r"TOKEN_INTROSPECTION\['CLIENT_SOURCES'\]\[0\] must be the dotted path of a ClientSource",
    ):
        client_sources_of(["django_introspection.models.Client"])


def client_sources_of(paths: list[str]) -> Any:
    from django.test import override_settings

    with override_settings(TOKEN_INTROSPECTION={"CLIENT_SOURCES": paths}):
        return client_sources()


def test_the_client_of_a_later_source_and_one_of_ours_both_ask(resource_server: Any) -> None:
    token = factories.TokenFactory().access_token

    for auth in (resource_server, partner()):
        assert endpoints.introspect(token, auth=auth).json()["active"] is True
    assert Partners.work == []


def test_a_client_of_nobody_costs_the_work_of_every_source_that_only_looked(
    resource_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client_id in ("nobody", resource_server.client.client_id, "partner"):
        assert_refused(endpoints.introspect("x", auth=endpoints.basic(client_id, "wrong")), 401, "invalid_client")
    assert Partners.work == ["nobody", resource_server.client.client_id, "partner"]

    monkeypatch.setattr(Partners, "rejection", Rejection("wrong secret, and the work is done"))
    endpoints.introspect("x", auth=partner("wrong"))
    assert len(Partners.work) == 3


def test_a_client_of_another_source_gets_and_revokes_no_tokens_here() -> None:
    for path in ("/oauth/token", "/oauth/revoke"):
        response = endpoints.post(path, {"grant_type": "client_credentials", "token": "x"}, auth=partner())
        assert_refused(response, 400, "unauthorized_client")


def test_an_assertion_is_shown_to_each_source(resource_server: Any) -> None:
    for client_id, status in (("partner", 200), ("nobody", 401)):
        form = {"token": "x", **jose.asserting(jose.assertion(client_id))}
        assert endpoints.post("/oauth/introspect", form).status_code == status


def test_a_bearer_token_of_a_later_source_is_taken() -> None:
    assert_inactive(endpoints.introspect("x", auth="Bearer partners"))
    assert_refused(endpoints.introspect("x", auth="Bearer nobodys"), 401, "invalid_token")


WEAK: dict[str, tuple[Any, str]] = {
    "inactive": (Inactive(Reason.REVOKED), "invalid_token"),
    "of a user": (Active(TokenInfo(MACHINE), object()), "invalid_token"),
    "a refresh token": (Active(TokenInfo({**MACHINE, "token_type": None})), "invalid_token"),
    "bound to a key": (Active(TokenInfo({**MACHINE, "cnf": {"jkt": "x"}})), "invalid_token"),
    "for another server": (Active(TokenInfo({**MACHINE, "aud": ["urn:other"]})), "invalid_token"),
    "for nobody": (Active(TokenInfo({**MACHINE, "aud": []})), "invalid_token"),
    "without the scope": (Active(TokenInfo({**MACHINE, "scope": "orders:read"})), "insufficient_scope"),
}


@pytest.mark.parametrize("kind", WEAK)
def test_a_weak_bearer_token_is_refused_whatever_its_source(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, error = WEAK[kind]
    monkeypatch.setattr(Partners, "answer", answer)

    assert_refused(endpoints.introspect("x", auth="Bearer partners"), 401, error)


def test_no_audience_at_all_is_taken_where_the_setting_says_so(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "BEARER_WITHOUT_AUDIENCE": True}
    monkeypatch.setattr(Partners, "answer", WEAK["for nobody"][0])

    assert_inactive(endpoints.introspect("x", auth="Bearer partners"))


def test_an_audience_that_is_not_ours_is_refused_whatever_the_setting_says(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "BEARER_WITHOUT_AUDIENCE": True}
    monkeypatch.setattr(Partners, "answer", WEAK["for another server"][0])

    assert_refused(endpoints.introspect("x", auth="Bearer partners"), 401, "invalid_token")


def test_the_endpoint_asks_the_backend_of_the_setting(settings: Any, resource_server: Any) -> None:
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "BACKENDS": {"all": {"BACKEND": f"{__name__}.EveryToken"}},
        "INTROSPECTION_BACKEND": "all",
    }
    own = factories.TokenFactory(client=resource_server.client).access_token

    caller = (resource_server.client, resource_server.secret)
    assert endpoints.introspect("x", auth=partner()).json()["client_id"] == "everybody"
    assert_inactive(endpoints.introspect(own, auth=caller))


def policy_row(**fields: Any) -> Client:
    named = {"client_id": "partner", "client_name": "Partner", "token_endpoint_auth_method": "elsewhere", **fields}
    return Client.objects.register(**named).client


def orphans() -> list[str]:
    found = checks.run_checks(include_deployment_checks=True, databases=["default"])
    return [message.msg for message in found if message.id == "introspection.W031"]


def test_a_policy_row_is_for_the_client_that_the_source_has_now() -> None:
    assert policy_row().source_key == "partners:1"
    assert orphans() == []


def test_a_policy_row_of_no_client_is_refused() -> None:
    with pytest.raises(ValidationError, match="No source of CLIENT_SOURCES has a client with this identifier"):
        policy_row(client_id="nobody")


def test_a_row_that_was_made_for_another_client_cannot_be_saved_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    row = policy_row()
    monkeypatch.setattr(Partners, "key", "partners:2")

    with pytest.raises(ValidationError, match="Another client has this identifier now"):
        row.full_clean()


def test_a_client_of_this_app_is_bound_to_no_source() -> None:
    assert factories.RegistrationFactory(client_id="own").client.source_key == ""


@pytest.mark.parametrize(
    ("key", "problem"), [(None, "no source has a client"), ("partners:2", "it was made for another client")]
)
def test_a_policy_row_whose_client_is_gone_is_reported_by_the_check_and_the_doctor(
    key: str | None, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_row()
    monkeypatch.setattr(Partners, "key", key)

    (message,) = orphans()
    findings = [each.finding.what for each in everything() if each.about == "database"]

    assert message.startswith(f"The policy of 'partner' has no effect: {problem}")
    assert any(message in finding for finding in findings)


def test_a_source_that_refuses_to_compare_any_more_secrets_is_reported(
    heard: Any, resource_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(*_: Any) -> ClientResult:
        raise TooManyRequests("Too many guesses.", retry_after=7)

    monkeypatch.setattr(Partners, "by_secret", too_many)

    response = endpoints.introspect("x", auth=endpoints.basic("unknown", "wrong"))

    assert (response.status_code, response["Retry-After"]) == (429, "7")
    assert [name for name, _ in heard] == ["client_authentication_failed"]
