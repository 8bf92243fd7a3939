"""RFC 6749: client authentication and the token endpoint, with RFC 8707 resource indicators."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client as Browser

from django_introspection.models import Token
from django_introspection.protocol import opaque
from tests import endpoints, factories
from tests.authorization_server.helpers import (
    ENDPOINTS,
    assert_refused,
    bearer,
    everything_stored,
    introspecting_client,
)
from tests.settings import AUDIENCE, ISSUER

GRANT = {"grant_type": "client_credentials"}
INVOICES = "https://api.example.com/invoices"
HARD_SECRET = "p%+ é:&=?#/ and enough more to be long"


def ask(auth: Any = None, **form: Any) -> Any:
    """Ask the token endpoint for a token; a parameter of None is left out."""
    parameters = {name: value for name, value in {**GRANT, **form}.items() if value is not None}
    return endpoints.post("/oauth/token", parameters, auth=auth)


def encode(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.fixture
def hard(db: None) -> Any:
    """A client whose ID and secret have every character that an encoding can lose."""
    return factories.RegistrationFactory(client_id="a:b", client_secret=HARD_SECRET)


@pytest.mark.requirement("6749-2.3.1-a", "6749-5.1-a", "6749-5.1-b", "6749-4.4.3-a", "6750-5.2-a", "9111-5.2.2.5-a")
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/token/"])
def test_a_client_gets_a_bearer_token_of_an_hour_and_no_refresh_token(machine: Any, path: str) -> None:
    response = endpoints.post(path, GRANT, auth=machine)

    answer = response.json()
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert (response["Cache-Control"], response["Pragma"]) == ("no-store", "no-cache")
    assert answer.pop("access_token").startswith("dit_at_")
    assert answer == {"token_type": "Bearer", "expires_in": 3600, "scope": "orders:read orders:write"}
    assert list(Token.objects.values_list("kind", flat=True)) == ["access"]


@pytest.mark.requirement("6750-5.3-a", "8707-2-d", "9700-2.3-a")
def test_the_token_is_restricted_to_the_resource_and_introspection_says_so(machine: Any, resource_server: Any) -> None:
    token = ask(machine, scope="orders:read").json()["access_token"]

    members = endpoints.introspect(token, auth=resource_server).json()

    assert (members["aud"], members["scope"]) == ([AUDIENCE], "orders:read")
    assert (members["client_id"], members["sub"]) == (machine.client.client_id, machine.client.client_id)


@pytest.mark.requirement("6749-2.3.1-b")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "header",
    [
        endpoints.basic("a:b", HARD_SECRET),
        encode(f"{quote('a:b', safe='')}:{quote(HARD_SECRET, safe='')}"),
        encode("a%3ab:p%25%2b+%c3%a9%3a%26%3d%3f%23%2f+and+enough+more+to+be+long"),
        encode("a%3Ab:p%25%2B%20é:&=?#/ and enough more to be long"),
    ],
    ids=["form-encoded", "percent-encoded", "lower case hex", "only what must be"],
)
def test_both_halves_of_basic_credentials_are_form_decoded(hard: Any, header: str, path: str) -> None:
    response = endpoints.post(path, {"token": "unknown", **GRANT}, auth=header)

    assert response.status_code == 200


@pytest.mark.requirement("6749-2.3.1-b")
def test_credentials_are_decoded_once_and_not_split_at_an_encoded_colon(db: None) -> None:
    factories.RegistrationFactory(client_id="a", client_secret=f"b:{HARD_SECRET}")
    twice = encode(f"a%253Ab:{quote(quote(HARD_SECRET, safe=''), safe='')}")

    assert_refused(ask(twice), 401, "invalid_client", HARD_SECRET)
    assert_refused(ask(endpoints.basic("a:b", HARD_SECRET)), 401, "invalid_client", HARD_SECRET)


@pytest.mark.requirement("6749-2.3.1-d", "6749-2.3.2-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("registered", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("used", ["client_secret_basic", "client_secret_post"])
def test_a_client_authenticates_by_its_registered_method_and_no_other(
    db: None, path: str, registered: str, used: str
) -> None:
    client, secret = factories.RegistrationFactory(token_endpoint_auth_method=registered, client_secret=HARD_SECRET)
    form = {"token": "unknown", **GRANT}
    if used == "client_secret_basic":
        response = endpoints.post(path, form, auth=(client, secret))
    else:
        response = endpoints.post(path, {**form, "client_id": client.client_id, "client_secret": secret})

    if used == registered:
        assert response.status_code == 200
    else:
        assert_refused(response, 401, "invalid_client", secret)
        assert response["WWW-Authenticate"].startswith('Basic realm="')


@pytest.mark.requirement("6749-2.3-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "Unknown"])
def test_two_authentication_methods_at_once_are_an_invalid_request(machine: Any, path: str, scheme: str) -> None:
    header = {"Basic": endpoints.basic(machine.client.client_id, machine.secret)}.get(scheme, f"{scheme} abc")
    form = {"token": "unknown", **GRANT, "client_id": machine.client.client_id, "client_secret": machine.secret}

    assert_refused(endpoints.post(path, form, auth=header), 400, "invalid_request", machine.secret)


@pytest.mark.requirement("6749-2.3-b")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_client_id_in_the_body_beside_basic_must_be_the_same(machine: Any, path: str) -> None:
    form = {"token": "unknown", **GRANT}
    same = endpoints.post(path, {**form, "client_id": machine.client.client_id}, auth=machine)
    other = endpoints.post(path, {**form, "client_id": "another"}, auth=machine)

    assert same.status_code == 200
    assert_refused(other, 400, "invalid_request", machine.secret)


@pytest.mark.requirement("6749-2.2-a", "6749-3.2.1-a", "6749-4.4-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("secret", [{}, {"client_secret": ""}])
def test_a_client_id_alone_authenticates_nobody(machine: Any, path: str, secret: dict[str, str]) -> None:
    form = {"token": "unknown", **GRANT, "client_id": machine.client.client_id, **secret}

    assert_refused(endpoints.post(path, form), 401, "invalid_client")


@pytest.mark.requirement("6749-2.3.1-e")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_credentials_in_the_url_are_not_read(db: None, path: str) -> None:
    client, secret = factories.RegistrationFactory(token_endpoint_auth_method="client_secret_post")
    url = f"{path}?client_id={client.client_id}&client_secret={secret}&grant_type=client_credentials&token=x"

    assert_refused(endpoints.post(url, {"token": "x", **GRANT}), 401, "invalid_client", secret)


@pytest.mark.requirement("7521-4.2-a", "7521-4.2.1-a")
@pytest.mark.parametrize("with_basic", [True, False])
def test_a_client_assertion_authenticates_nobody(machine: Any, with_basic: bool) -> None:
    assertion = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "eyJhbGciOiJub25lIn0.e30.",
    }

    response = ask(machine if with_basic else None, **assertion)

    assert_refused(response, 401, "invalid_client", assertion["client_assertion"])


@pytest.mark.requirement("6749-3.2-a", "9110-15.5.6-a")
@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_nothing_but_post_is_served(db: None, path: str, method: str) -> None:
    response = getattr(Browser(), method)(path)

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert response["Cache-Control"] == "no-store"


@pytest.mark.requirement("6749-4.4.2-a", "6749-3.2-b", "6749-5.2-a", "9700-2.4-a")
@pytest.mark.parametrize(
    ("grant_type", "error"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("Client_Credentials", "unsupported_grant_type"),
        ("client_credentials ", "unsupported_grant_type"),
        ("password", "unsupported_grant_type"),
        ("nul\x00", "unsupported_grant_type"),
        ("client_credentials", "unauthorized_client"),
    ],
)
def test_a_grant_type_that_is_missing_unknown_or_not_allowed_has_its_own_error(
    resource_server: Any, grant_type: str | None, error: str
) -> None:
    assert_refused(ask(resource_server, grant_type=grant_type), 400, error)


@pytest.mark.requirement("6749-3.2-c")
def test_unknown_parameters_are_ignored(machine: Any) -> None:
    assert ask(machine, foo="1", username="u", password="p", expires_in="99999999").json()["expires_in"] == 3600


@pytest.mark.requirement("6749-3.2-d", "6749-5.2-a")
@pytest.mark.parametrize("name", ["scope", "grant_type", "client_id", "foo"])
def test_a_repeated_parameter_is_refused(machine: Any, name: str) -> None:
    value = GRANT.get(name, "orders:read")
    assert_refused(ask(machine, **{name: [value, value]}), 400, "invalid_request")


@pytest.mark.requirement("6749-3.3-a", "6749-5.2-a", "6749-5.2-d")
@pytest.mark.parametrize(
    "scope",
    [
        'a"b',
        "a\\b",
        "orders:read\torders:write",
        "orders:read  orders:write",
        " orders:read",
        "orders:read ",
        "é",
        "a\r\nX: y",
        "\x00",
    ],
)
def test_a_scope_outside_the_grammar_is_an_invalid_scope(machine: Any, scope: str) -> None:
    assert_refused(ask(machine, scope=scope), 400, "invalid_scope", scope)


@pytest.mark.requirement("6749-3.3-b")
def test_a_scope_has_no_order_and_no_repeats(machine: Any) -> None:
    assert ask(machine, scope="orders:write orders:read orders:write").json()["scope"] == "orders:write orders:read"


@pytest.mark.requirement("6749-3.3-b", "6749-5.2-a")
@pytest.mark.parametrize("scope", ["Orders:read", "orders", "orders:read admin", "introspection"])
def test_a_scope_beyond_the_clients_own_is_an_invalid_scope(machine: Any, scope: str) -> None:
    assert_refused(ask(machine, scope=scope), 400, "invalid_scope")


@pytest.mark.requirement("6749-3.3-c")
def test_a_part_of_the_scope_is_granted_and_told(machine: Any) -> None:
    assert ask(machine, scope="orders:read").json()["scope"] == "orders:read"


@pytest.mark.requirement("6749-3.3-d", "6749-3.2-b")
@pytest.mark.parametrize("scope", [None, ""])
def test_without_a_scope_the_client_gets_all_its_own_but_introspection(db: None, scope: str | None) -> None:
    client = factories.RegistrationFactory(scope="orders:read introspection orders:write")

    assert ask(client, scope=scope).json()["scope"] == "orders:read orders:write"


def test_a_client_without_scopes_gets_a_token_without_scope(db: None) -> None:
    answer = ask(factories.RegistrationFactory(scope="")).json()

    assert answer.keys() == {"access_token", "token_type", "expires_in"}


@pytest.mark.requirement("8707-2-a", "8707-2-c")
@pytest.mark.parametrize(
    "resource",
    [
        "orders",
        "/orders",
        f"{AUDIENCE}#f",
        f"{AUDIENCE}#",
        "https://[",
        "https://é",
        "a b",
        "\x00",
        INVOICES,
        f"{AUDIENCE}/",
    ],
)
def test_a_resource_that_is_malformed_or_not_the_clients_is_an_invalid_target(machine: Any, resource: str) -> None:
    assert_refused(ask(machine, resource=resource), 400, "invalid_target")
    assert_refused(ask(machine, resource=[AUDIENCE, resource]), 400, "invalid_target")
    assert not Token.objects.exists()


@pytest.mark.requirement("8707-2-b", "8707-2-d")
@pytest.mark.parametrize(
    ("asked", "audience"),
    [
        ([INVOICES], [INVOICES]),
        ([INVOICES, AUDIENCE], [INVOICES, AUDIENCE]),
        ([AUDIENCE, AUDIENCE, ""], [AUDIENCE]),
    ],
)
def test_the_resources_asked_for_become_the_audience(db: None, asked: list[str], audience: list[str]) -> None:
    client = factories.RegistrationFactory(allowed_resources=[AUDIENCE, INVOICES])

    token = ask(client, resource=asked).json()["access_token"]

    assert endpoints.introspect(token, auth=client).json()["aud"] == audience


@pytest.mark.requirement("8707-2-c")
@pytest.mark.parametrize("resource", [None, ""])
def test_a_client_with_several_resources_must_name_one(db: None, resource: str | None) -> None:
    client = factories.RegistrationFactory(allowed_resources=[AUDIENCE, INVOICES])

    assert_refused(ask(client, resource=resource), 400, "invalid_target")


@pytest.mark.parametrize("resource", [None, ISSUER])
def test_a_token_to_introspect_with_is_for_the_issuer_alone(db: None, resource: str | None) -> None:
    client = introspecting_client()

    answer = ask(client, scope="introspection", resource=resource).json()

    assert answer["scope"] == "introspection"
    assert endpoints.introspect(answer["access_token"], auth=client).json()["aud"] == [ISSUER]


def test_a_client_with_no_other_scope_gets_introspection_by_default(db: None) -> None:
    assert ask(introspecting_client()).json()["scope"] == "introspection"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "introspection orders:read"}, "invalid_scope"),
        ({"scope": "introspection", "resource": AUDIENCE}, "invalid_target"),
        ({"scope": "introspection", "resource": [ISSUER, AUDIENCE]}, "invalid_target"),
        ({"scope": "introspection", "resource": f"{ISSUER}/other"}, "invalid_target"),
    ],
)
def test_the_introspection_scope_mixes_with_no_other_scope_or_resource(
    db: None, form: dict[str, Any], error: str
) -> None:
    client = factories.RegistrationFactory(scope="introspection orders:read")

    assert_refused(ask(client, **form), 400, error)


def test_without_an_issuer_no_token_to_introspect_with_is_given(settings: Any, db: None) -> None:
    settings.TOKEN_INTROSPECTION = {}

    assert_refused(ask(introspecting_client(), scope="introspection"), 400, "invalid_scope")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_a_bearer_token_authenticates_no_client_outside_introspection(db: None, path: str) -> None:
    header = bearer(introspecting_client())

    response = endpoints.post(path, {**GRANT, "token": "unknown"}, auth=header)

    assert_refused(response, 401, "invalid_client", header.removeprefix("Bearer "))


@pytest.mark.requirement("6749-4.4.2-b", "9110-15.5.16-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "application/x-www-form-urlencoded; charset=latin-1",
        "application/x-www-form-urlencoded, application/json",
    ],
)
def test_a_body_of_another_type_is_415_and_not_read(machine: Any, path: str, content_type: str) -> None:
    response = endpoints.post(path, "token=x&grant_type=client_credentials", auth=machine, content_type=content_type)

    assert_refused(response, 415, "invalid_request", machine.secret)


@pytest.mark.parametrize(
    "content_type",
    [
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "application/x-www-form-urlencoded;charset=UTF-8",
        'application/x-www-form-urlencoded ; charset="utf-8"',
    ],
)
def test_the_form_media_type_has_any_case_and_a_charset(machine: Any, content_type: str) -> None:
    assert endpoints.post("/oauth/token", GRANT, auth=machine, content_type=content_type).status_code == 200


@pytest.mark.requirement("6749-4.4.2-b")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("body", [b"token=%ff&grant_type=x", b"token=\xff", b"\xff=x", b"%c0%80=1"])
def test_a_body_that_is_not_utf_8_is_an_invalid_request(machine: Any, path: str, body: bytes) -> None:
    assert_refused(endpoints.post(path, body, auth=machine), 400, "invalid_request")


@pytest.mark.requirement("6749-10.10-a", "6749-10.3-a", "6749-2.3.1-h")
def test_tokens_and_secrets_are_unguessable_and_only_digests_are_kept(machine: Any) -> None:
    tokens = {ask(machine).json()["access_token"] for _ in range(20)}
    refresh_token = factories.TokenFactory(client=machine.client, refresh=True).refresh_token
    stored = everything_stored()

    assert len(tokens) == 20
    assert all(len(token.removeprefix("dit_at_")) == 49 for token in tokens)
    assert all(opaque.digest(token) in set(Token.objects.values_list("digest", flat=True)) for token in tokens)
    assert not [value for value in (*tokens, refresh_token, machine.secret) if value in stored]
