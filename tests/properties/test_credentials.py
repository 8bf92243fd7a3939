from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.credentials import (
    SecretCredentials,
    TokenCredentials,
    parse_basic,
    parse_credentials,
    parse_token,
)
from django_introspection.protocol.errors import InvalidCaller, InvalidClient, OAuthError
from django_introspection.protocol.form import Form
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, CLIENT_IDS, PRINTABLE


@given(ANY_TEXT | st.binary().map(lambda halves: base64.b64encode(halves).decode()))
def test_any_text_is_credentials_or_an_invalid_client(value: str) -> None:
    result = outcome(lambda: parse_basic(value), InvalidClient)

    assert isinstance(result, InvalidClient) or (result.client_id and result.client_secret)


@pytest.mark.requirement("6749-2.3.1-b")
@given(CLIENT_IDS, PRINTABLE)
def test_any_printable_id_and_secret_arrive_as_they_were_sent(client_id: str, client_secret: str) -> None:
    halves = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()

    credentials = parse_basic(base64.b64encode(halves).decode())

    assert (credentials.client_id, credentials.client_secret) == (client_id, client_secret)


@pytest.mark.requirement("6749-2.3.1-b")
@given(st.text("gz+%/=é", min_size=1))  # no hexadecimal digits: a line break behind a percent sign is refused
def test_a_secret_sent_without_encoding_is_among_the_candidates(client_secret: str) -> None:
    credentials = parse_basic(base64.b64encode(f"orders-api:{client_secret}".encode()).decode())

    assert client_secret in (credentials.client_secret, credentials.undecoded_secret)


@given(ANY_TEXT)
def test_any_text_is_a_bearer_token_or_an_invalid_caller(value: str) -> None:
    result = outcome(lambda: parse_token(value), InvalidCaller)

    assert result == value.strip(" ") or result.challenges


@given(
    st.sampled_from(["", "Basic ", "Bearer ", "basic", "DPoP "]),
    ANY_TEXT,
    st.dictionaries(st.sampled_from(["client_id", "client_secret", "client_assertion"]), ANY_TEXT),
)
def test_any_header_and_form_are_credentials_or_a_refusal(scheme: str, value: str, values: dict[str, str]) -> None:
    form = Form({name: [text] for name, text in values.items()})

    result = outcome(lambda: parse_credentials(scheme + value, form), OAuthError)

    assert isinstance(result, (SecretCredentials, TokenCredentials)) or result.status in (400, 401)
