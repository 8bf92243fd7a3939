from __future__ import annotations

import base64

import pytest

from django_introspection.protocol.credentials import (
    SecretCredentials,
    TokenCredentials,
    invalid_caller,
    parse_basic,
    parse_credentials,
    parse_token,
)
from django_introspection.protocol.errors import InvalidCaller, InvalidClient, InvalidRequest, OAuthError
from django_introspection.protocol.form import Form


def encoded(halves: str | bytes) -> str:
    return base64.b64encode(halves if isinstance(halves, bytes) else halves.encode()).decode()


def form(**values: str) -> Form:
    return Form({name: [value] for name, value in values.items()})


def refused(error: type[OAuthError], authorization: str, **values: str) -> None:
    with pytest.raises(error):
        parse_credentials(authorization, form(**values))


@pytest.mark.requirement("6749-2.3.1-b")
@pytest.mark.parametrize(
    ("halves", "client_id", "client_secret"),
    [
        ("orders-api:secret", "orders-api", "secret"),
        ("a%3Ab:p%25%2B+%C3%A9", "a:b", "p%+ é"),
        ("orders-api:with:colons", "orders-api", "with:colons"),
    ],
)
def test_basic_credentials_are_split_at_the_first_colon_and_form_decoded(
    halves: str, client_id: str, client_secret: str
) -> None:
    credentials = parse_basic(encoded(halves))

    assert (credentials.method, credentials.client_id) == ("client_secret_basic", client_id)
    assert credentials.client_secret == client_secret


@pytest.mark.requirement("6749-2.3.1-b")
@pytest.mark.parametrize(
    ("halves", "client_secret", "undecoded_secret"),
    [
        ("a:q7+Zk/1a=", "q7 Zk/1a=", "q7+Zk/1a="),
        ("a:q7%2BZk%2F1a%3D", "q7+Zk/1a=", "q7%2BZk%2F1a%3D"),
        ("a:100%", "100%", None),
        ("a+b:secret", "secret", None),
    ],
)
def test_a_secret_that_decoding_changes_is_kept_as_it_was_sent_as_well(
    halves: str, client_secret: str, undecoded_secret: str | None
) -> None:
    credentials = parse_basic(encoded(halves))

    assert (credentials.client_secret, credentials.undecoded_secret) == (client_secret, undecoded_secret)
    assert "q7" not in repr(credentials)


@pytest.mark.requirement("6749-2.3.1-c")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "not base64!",
        "YTpi YTpi",
        "YTpi\n",
        "YTpiYw",
        "é",
        "\ud800",
        encoded("no colon"),
        encoded(":secret"),
        encoded("id:"),
        encoded("id:a%00b"),
        encoded("id:a\nb"),
        encoded(b"id:\xff"),
        encoded("id:%FF"),
        encoded("id:%ED%A0%80"),
    ],
)
def test_broken_basic_credentials_are_a_failed_authentication(value: str) -> None:
    with pytest.raises(InvalidClient) as refusal:
        parse_basic(value)
    assert refusal.value.status == 401
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_of_a_header_has_no_case(scheme: str) -> None:
    assert parse_credentials(f"{scheme}  {encoded('a:b')} ", form()) == SecretCredentials(
        "client_secret_basic", "a", "b"
    )
    assert parse_credentials("bEARER token", form()) == TokenCredentials("token")
    assert parse_credentials("dpop token", form()) == TokenCredentials("token", "DPoP")


def test_a_secret_in_the_form_is_client_secret_post() -> None:
    sent = form(client_id="a", client_secret="b")

    assert parse_credentials("", sent) == SecretCredentials("client_secret_post", "a", "b")


@pytest.mark.requirement("6749-2.3-a")
@pytest.mark.parametrize("authorization", [f"Basic {encoded('a:b')}", "Bearer token", "Digest x"])
def test_two_methods_at_once_are_refused(authorization: str) -> None:
    refused(InvalidRequest, authorization, client_id="a", client_secret="b")


@pytest.mark.requirement("6749-2.3-b")
def test_a_client_id_beside_basic_must_be_the_same() -> None:
    authorization = f"Basic {encoded('a:b')}"

    assert parse_credentials(authorization, form(client_id="a")) == SecretCredentials("client_secret_basic", "a", "b")
    refused(InvalidRequest, authorization, client_id="another")


@pytest.mark.requirement("6749-2.2-a")
@pytest.mark.parametrize(
    "values",
    [{}, {"client_id": "a"}, {"client_secret": "b"}, {"client_id": "a", "client_secret": "b\x00"}],
    ids=["nothing", "id alone", "secret alone", "control character"],
)
def test_without_an_id_and_a_secret_nobody_is_authenticated(values: dict[str, str]) -> None:
    refused(InvalidClient, "", **values)


@pytest.mark.parametrize("authorization", ["Digest x", "Basic", " ", "Basicx y"])
def test_an_unknown_scheme_or_none_is_a_failed_authentication(authorization: str) -> None:
    refused(InvalidClient, authorization)


@pytest.mark.requirement("7521-4.2.1-a")
@pytest.mark.parametrize("name", ["client_assertion", "client_assertion_type"])
@pytest.mark.parametrize("authorization", ["", f"Basic {encoded('a:b')}"])
def test_an_assertion_is_a_failed_authentication_alone_and_beside_another_method(name: str, authorization: str) -> None:
    refused(InvalidClient, authorization, **{name: "x"})


@pytest.mark.parametrize("token", ["abc", "a.b.c", "a-_~+/=="])
def test_the_token_of_a_bearer_caller_is_read(token: str) -> None:
    assert parse_token(f" {token} ") == token


@pytest.mark.parametrize("value", ["", " ", "a b", "a=b", "a,b", 'a"', "é", "a\n"])
def test_a_malformed_bearer_token_of_a_caller_is_401_with_a_bearer_challenge(value: str) -> None:
    with pytest.raises(InvalidCaller) as refusal:
        parse_token(value)
    assert refusal.value.status == 401
    assert refusal.value.challenges[0].startswith('Bearer realm="oauth", error="invalid_token"')


def test_why_a_caller_was_refused_is_not_in_the_challenge() -> None:
    refusal = invalid_caller("The access token is not good here.", detail="issued for a user")

    assert refusal.detail == "issued for a user"
    assert "issued" not in refusal.challenges[0]


def test_no_credentials_show_in_a_repr() -> None:
    assert "s3cr3t" not in repr(SecretCredentials("client_secret_post", "a", "s3cr3t"))
    assert "token-value" not in repr(TokenCredentials("token-value"))
