"""Bodies that a middleware has read, and client identifiers that some databases cannot compare."""

from __future__ import annotations

from typing import Any

import pytest

from tests import endpoints, factories, jose
from tests.authorization_server.helpers import ENDPOINTS, assert_refused

HERE = "tests.authorization_server.reading_middleware"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nunknown\r\n--x--\r\n',
    "multipart/form-data; boundary=x",
)


@pytest.fixture(params=["reads_post", "reads_body", "parses_with_drf"])
def reader(request: Any, settings: Any) -> Any:
    """A middleware that reads the body, and leaves what it read where Django or DRF keep it."""
    settings.MIDDLEWARE = [f"{HERE}.{request.param}", *settings.MIDDLEWARE]
    return request.param


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_form_that_a_middleware_has_read_is_read_again(reader: str, method: str) -> None:
    caller = factories.RegistrationFactory(token_endpoint_auth_method=method, introspection_policy="any")
    form = {"token": factories.TokenFactory(scope="a b").access_token, "empty": ""}
    in_body = {"client_id": caller.client.client_id, "client_secret": caller.secret}
    posted = method == "client_secret_post"

    response = endpoints.post(
        "/oauth/introspect", form | (in_body if posted else {}), auth=None if posted else tuple(caller)
    )

    assert response.json()["scope"] == "a b"


@pytest.mark.django_db
def test_a_parameter_that_comes_twice_stays_refused(reader: str, resource_server: Any) -> None:
    response = endpoints.post("/oauth/introspect", "token=a&token=b", auth=resource_server)

    assert_refused(response, 400, "invalid_request")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("reader", [None, "reads_post", "reads_body", "reads_the_stream"])
@pytest.mark.parametrize("body", [MULTIPART, (b"{}", "application/json"), (b"--x--\r\n", MULTIPART[1])])
def test_a_body_of_another_type_is_415_with_and_without_a_middleware_that_reads_it(
    path: str, reader: str | None, body: tuple[bytes, str], settings: Any
) -> None:
    settings.MIDDLEWARE = [*([f"{HERE}.{reader}"] if reader else []), *settings.MIDDLEWARE]

    response = endpoints.post(path, body[0], content_type=body[1])

    assert_refused(response, 415, "invalid_request")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_form_whose_stream_a_middleware_used_up_is_503_and_named_in_the_log(
    path: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MIDDLEWARE = [f"{HERE}.reads_the_stream", *settings.MIDDLEWARE]

    assert_refused(endpoints.post(path, {"token": "x"}), 503, "temporarily_unavailable")
    assert any("a middleware has read the body" in message for message in caplog.messages)


NO_IDENTIFIERS = {
    "emoji": "\U0001f600",
    "long s": "\u017fhop",
    "byte order mark": "\ufeffshop",
    "accent": "caf\u00e9",
    "combining": "cafe\u0301",
    "NUL": "sh\0op",
    "line end": "shop\n",
    "delete": "shop\x7f",
    "too long": "s" * 256,
    "very long": "s" * 100_000,
    "surrogates": "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("client_id", NO_IDENTIFIERS.values(), ids=NO_IDENTIFIERS)
def test_an_identifier_that_no_client_can_have_is_401_without_a_statement(
    path: str, client_id: str, django_assert_num_queries: Any
) -> None:
    in_body = {"token": "x", "client_id": client_id, "client_secret": "w" * 40}
    with django_assert_num_queries(0):
        answers = [
            endpoints.post(path, {"token": "x"}, auth=endpoints.basic(client_id, "w" * 40)),
            endpoints.post(path, in_body),
            endpoints.post(path, {"token": "x", **jose.asserting(jose.assertion(client_id))}),
        ]

    for answer in answers:
        assert_refused(answer, 401, "invalid_client")


@pytest.mark.django_db
def test_an_identifier_with_a_space_is_one() -> None:
    assert endpoints.introspect("x", auth=endpoints.basic("the shop", "w" * 40)).status_code == 401
