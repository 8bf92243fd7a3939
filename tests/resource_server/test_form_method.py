"""The token in a form (RFC 6750 §2.2): off, unless an authenticator asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from django_introspection.authentication import IntrospectionAuthentication
from tests import factories

from .protected import assert_refused, protect

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"


class Forms(IntrospectionAuthentication):
    bearer_methods = ("header", "body")


def send(
    body: str | bytes, *, content_type: str = FORM, method: str = "post", headers: Any = None, query: str = ""
) -> Any:
    """Send a body to a view that takes forms; the answer has what the view read of the body."""

    def run(self: Any, request: Request) -> Response:
        return Response(request.data)

    parsers = [FormParser, MultiPartParser, JSONParser]
    handlers = dict.fromkeys(("get", "post", "put", "patch", "delete"), run)
    view = protect(authentication_classes=[Forms], parser_classes=parsers, **handlers)
    request = APIRequestFactory().generic(method, f"/orders{query}", body, content_type, headers=headers)
    return view.as_view()(request).render()


@pytest.fixture
def token() -> str:
    value: str = factories.TokenFactory().access_token
    return value


@pytest.mark.requirement("6750-2.2-a")
@pytest.mark.parametrize("method", ["post", "put", "patch"])
@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", FORM.upper()])
def test_a_form_with_a_token_opens_the_view_which_can_still_read_it(token: str, method: str, content_type: str) -> None:
    response = send(f"a=caf%C3%A9&access_token={token}", method=method, content_type=content_type)

    assert response.status_code == 200
    assert response.data["a"] == "caf\u00e9"


@pytest.mark.requirement("6750-2.2-a")
@pytest.mark.parametrize("method", ["get", "delete"])
def test_the_body_of_a_method_without_a_form_is_not_read(token: str, method: str) -> None:
    assert_refused(send(f"access_token={token}", method=method), 401, None)


@pytest.mark.requirement("6750-2.2-a")
def test_a_body_that_is_no_form_in_ascii_is_not_read(token: str) -> None:
    multipart = f'--b\r\nContent-Disposition: form-data; name="access_token"\r\n\r\n{token}\r\n--b--\r\n'

    assert_refused(send(f'{{"access_token": "{token}"}}', content_type="application/json"), 401, None)
    assert_refused(send(multipart, content_type="multipart/form-data; boundary=b"), 401, None)
    assert_refused(send(f"access_token={token}", content_type="text/plain"), 401, None)
    assert_refused(send(f"a=caf\u00e9&access_token={token}".encode()), 401, None)


@pytest.mark.requirement("6750-2-a")
def test_a_token_in_more_than_one_way_is_a_malformed_request(token: str) -> None:
    header, form = {"Authorization": f"Bearer {token}"}, f"access_token={token}"

    assert_refused(send(form, headers=header), 400, "invalid_request")
    assert_refused(send(form, query="?access_token=x"), 400, "invalid_request")
    assert_refused(send(f"{form}&{form}"), 400, "invalid_request")
    assert_refused(send("access_token=", headers=header), 400, "invalid_request")
    assert send("a=1", headers=header).status_code == 200


@pytest.mark.requirement("6750-3.1-a")
def test_a_form_with_an_empty_token_is_a_malformed_request() -> None:
    assert_refused(send("access_token="), 400, "invalid_request")
    assert_refused(send("a=1&access_token"), 400, "invalid_request")


@pytest.mark.parametrize("value", ["bad", "a+b%20c", "caf%C3%A9", "%00"])
def test_a_bad_token_in_a_form_is_401_invalid_token(value: str) -> None:
    assert_refused(send(f"access_token={value}"), 401, "invalid_token")


def test_a_form_without_a_token_is_no_attempt() -> None:
    assert_refused(send("a=1"), 401, None)


def test_a_form_that_is_too_large_is_a_malformed_request(token: str, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    assert_refused(send(f"access_token={token}"), 400, "invalid_request")


def test_a_body_is_the_view_s_own_where_the_form_method_is_off(token: str) -> None:
    """A parameter that happens to have this name is not looked at: reading it would take the body from a stream."""
    headers = {"Authorization": f"Bearer {token}"}
    request = APIRequestFactory().post("/orders", "access_token=other", content_type=FORM, headers=headers)

    assert protect().as_view()(request).status_code == 200
    assert request.read() == b"access_token=other"
