from __future__ import annotations

import logging
from typing import Any

import pytest

from django_introspection import security_log, signals
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.protocol.answer import Active, Inactive, Reason
from tests import endpoints, factories
from tests.authorization_server.helpers import bearer, introspecting_client

ALL = ["token_issued", "token_introspected", "token_revoked", "refresh_token_reused", "client_authentication_failed"]


def breaking(**_: Any) -> None:
    raise RuntimeError("a receiver broke")


def registering(**_: Any) -> None:
    """Fail in the database, as an audit table that refuses a row does."""
    Client.objects.create(client_id="taken")


def test_an_issued_token_is_told_with_its_row_and_client(heard: Any, machine: Any) -> None:
    issued = Token.objects.issue(client=machine.client, refresh=True)

    assert [name for name, _ in heard] == ["token_issued", "token_issued"]
    assert [keywords.keys() for _, keywords in heard] == [{"token", "client"}] * 2
    assert [keywords["token"].kind for _, keywords in heard] == ["access", "refresh"]
    assert heard[0][1] == {"token": issued.token, "client": machine.client}


def test_an_introspection_is_told_with_the_answer_and_the_caller(heard: Any, resource_server: Any) -> None:
    issued = factories.TokenFactory()
    heard.clear()
    endpoints.introspect(issued.access_token, auth=resource_server)
    endpoints.introspect("unknown", auth=resource_server)

    assert [name for name, _ in heard] == ["token_introspected"] * 2
    assert [keywords["caller"] for _, keywords in heard] == [resource_server.client] * 2
    assert isinstance(heard[0][1]["answer"], Active)
    assert heard[0][1]["answer"].info.jti == str(issued.token.pk)
    assert heard[1][1]["answer"] == Inactive(Reason.UNKNOWN)


@pytest.mark.parametrize("policy", ["own", "audience"])
def test_the_reason_that_the_wire_hides_is_told(heard: Any, db: None, policy: str) -> None:
    caller = factories.ResourceServerFactory(introspection_policy=policy)
    token = factories.TokenFactory(audience=["urn:elsewhere"]).access_token

    endpoints.introspect(token, auth=caller)

    assert heard[-1][1]["answer"] == Inactive(Reason.CALLER_POLICY)


def test_a_revocation_is_told_once_with_every_token_that_it_ended(heard: Any, machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client, refresh=True)
    grant = set(Token.objects.values_list("pk", flat=True))
    heard.clear()
    for _ in range(2):
        endpoints.post("/oauth/revoke", {"token": issued.refresh_token}, auth=machine)

    assert [(name, set(keywords["tokens"]), keywords["client"]) for name, keywords in heard] == [
        ("token_revoked", grant, machine.client)
    ]


def test_a_revocation_by_the_operator_names_no_client(heard: Any, machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client)
    revoke_token(issued.token, by=None)

    assert heard[-1] == ("token_revoked", {"tokens": [issued.token.pk], "client": None, "who": ""})


@pytest.mark.parametrize(
    ("auth", "client_id"),
    [
        (endpoints.basic("nobody", "x" * 40), "nobody"),
        (None, ""),
        ("Basic !!", ""),
        ("Bearer unknown-token", ""),
        ("Bearer a b", ""),
    ],
)
def test_a_failed_authentication_is_told_with_who_and_from_where(
    heard: Any, db: None, auth: str | None, client_id: str
) -> None:
    endpoints.introspect("x", auth=auth)

    [(name, keywords)] = heard
    assert name == "client_authentication_failed"
    assert keywords.keys() == {"client_id", "reason", "remote_address"}
    assert (keywords["client_id"], keywords["remote_address"]) == (client_id, "127.0.0.1")
    assert keywords["reason"]


@pytest.mark.parametrize("in_body", [False, True], ids=["Basic", "body"])
@pytest.mark.parametrize("kind", ["generated", "token", "longer than an identifier", "JWT"])
def test_a_secret_in_place_of_the_client_id_is_neither_sent_nor_logged(
    kind: str, in_body: bool, heard: Any, machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"generated": machine.secret, "token": factories.TokenFactory().access_token}
    secret = values.get(kind, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0." if kind == "JWT" else "s" * 256)
    heard.clear()
    if in_body:
        endpoints.post("/oauth/token", {"client_id": secret, "client_secret": machine.client.client_id})
    else:
        endpoints.introspect("x", auth=endpoints.basic(secret, machine.client.client_id))

    [(name, keywords)] = heard
    assert name == "client_authentication_failed"
    assert keywords["client_id"] in ("(a secret or token)", "")  # the header is malformed if the identifier is too long
    assert "client authentication failed" in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_active": False}, "client inactive"),
        ({"token_endpoint_auth_method": "client_secret_post"}, "not its registered method: client_secret_basic"),
    ],
)
def test_the_reason_of_a_failed_authentication_is_told_to_the_operator_alone(
    heard: Any, machine: Any, change: dict[str, Any], reason: str
) -> None:
    Client.objects.update(**change)

    response = endpoints.introspect("x", auth=machine)

    assert heard[-1][1]["reason"] == reason
    assert reason not in response.content.decode()


def _use_twice(machine: Any, auth: Any) -> list[Any]:
    Client.objects.filter(pk=machine.client.pk).update(grant_types=["refresh_token"])
    value = factories.TokenFactory(client=machine.client, refresh=True).refresh_token
    form = {"grant_type": "refresh_token", "refresh_token": value}
    return [endpoints.post("/oauth/token", form, auth=auth).status_code for _ in range(2)]


def _use_every_signal(machine: Any, auth: Any) -> list[Any]:
    token = endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=auth).json()["access_token"]
    return [
        endpoints.introspect(token, auth=auth).json()["active"],
        endpoints.post("/oauth/revoke", {"token": token}, auth=auth).status_code,
        endpoints.introspect(token, auth=auth).json()["active"],
        endpoints.introspect(token, auth=(machine.client, "wrong")).status_code,
        *_use_twice(machine, auth),
    ]


@pytest.mark.parametrize("name", ALL)
def test_a_receiver_that_raises_breaks_no_answer(connect: Any, machine: Any, name: str) -> None:
    connect(name, breaking)

    assert _use_every_signal(machine, machine) == [True, 200, False, 401, 200, 400]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ALL)
def test_a_receiver_that_fails_in_the_database_undoes_nothing(connect: Any, name: str) -> None:
    machine = factories.RegistrationFactory(client_id="taken")
    connect(name, registering)

    assert _use_every_signal(machine, machine) == [True, 200, False, 401, 200, 400]


def test_the_log_has_a_line_for_every_event_and_never_a_value(
    user: Any, machine: Any, resource_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issued = factories.TokenFactory(client=machine.client, user=user, refresh=True)
    caller = introspecting_client()
    header = bearer(caller)
    wrong = "w" * 40
    posted = {"token": issued.access_token, "client_id": "known", "client_secret": wrong}
    endpoints.introspect(issued.access_token, auth=resource_server)
    endpoints.introspect(issued.refresh_token, auth=resource_server)
    endpoints.introspect(issued.access_token, auth=header)
    endpoints.introspect(header.removeprefix("Bearer "), auth=header)
    endpoints.introspect(issued.access_token, auth=f"Bearer {wrong}")
    endpoints.introspect(issued.access_token, auth=f"Basic {wrong}!")
    endpoints.introspect(issued.access_token, auth=(machine.client, wrong))
    endpoints.post("/oauth/introspect", posted)
    endpoints.post(f"/oauth/introspect?token={issued.access_token}&client_secret={wrong}", auth=resource_server)
    endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=resource_server)
    endpoints.post("/oauth/revoke", {"token": issued.refresh_token}, auth=machine)

    values = [issued.access_token, issued.refresh_token, machine.secret, resource_server.secret, caller.secret, wrong]
    values.append(header.removeprefix("Bearer "))
    lines = [record.getMessage() for record in caplog.records if record.name == "django_introspection.security"]
    everything = "".join(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records)
    pk, client = issued.token.pk, machine.client.client_id
    assert f"token issued token={pk} kind=access client={client}" in lines
    assert f"token introspected token={pk} caller={resource_server.client.client_id} active" in lines
    assert f"token introspected caller={resource_server.client.client_id} inactive: not for this caller" in lines
    assert [line for line in lines if line.startswith("tokens revoked") and line.endswith(f"by={client}")]
    assert f"client authentication failed client={client!r} address=127.0.0.1: unknown client or wrong secret" in lines
    assert not [value for value in values if value in everything]


def test_a_claimed_client_id_cannot_forge_a_line_of_the_log(db: None, caplog: pytest.LogCaptureFixture) -> None:
    endpoints.introspect("x", auth=endpoints.basic("nobody\u2028x\u202e" + "y" * 999, "x" * 40))

    [line] = [record.getMessage() for record in caplog.records if record.name == "django_introspection.security"]
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 500


def test_a_reused_refresh_token_is_logged_with_its_grant_and_client(machine: Any, caplog: Any) -> None:
    grant = factories.TokenFactory(client=machine.client).token.grant_id

    signals.refresh_token_reused.send_robust(Token, grant_id=grant, client=machine.client)

    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line == f"refresh token reused grant={grant} client={machine.client.client_id}"


def test_connecting_the_log_again_doubles_no_line(machine: Any, caplog: pytest.LogCaptureFixture) -> None:
    security_log.connect()
    caplog.set_level(logging.INFO)

    Token.objects.issue(client=machine.client)

    assert len([record for record in caplog.records if record.name == "django_introspection.security"]) == 1
