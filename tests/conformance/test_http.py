"""RFC 9110, 9111 and 7617: what HTTP asks of the endpoints of the authorization server."""

from __future__ import annotations

from typing import Any

import pytest

from tests import endpoints, factories
from tests.authorization_server.helpers import ENDPOINTS, assert_refused, bearer, introspecting_client

FORM = {"grant_type": "client_credentials", "token": "unknown"}


@pytest.mark.requirement("9110-11.1-a")
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_the_basic_scheme_is_named_in_any_case(machine: Any, path: str, scheme: str) -> None:
    header = endpoints.basic(machine.client.client_id, machine.secret).replace("Basic", scheme)

    assert endpoints.post(path, FORM, auth=header).status_code == 200


@pytest.mark.requirement("9110-11.1-a")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_bearer_scheme_of_a_caller_is_named_in_any_case(db: None, scheme: str) -> None:
    header = bearer(introspecting_client()).replace("Bearer", scheme)

    assert endpoints.introspect("unknown", auth=header).status_code == 200


@pytest.mark.requirement("9110-15.5.2-a", "7617-2-a", "6749-5.2-b", "6749-5.2-c")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic !!!", "Basic YTpi", "Digest x", "Bearer x", "Bearer", "DPoP x", "x", "é", ","]
)
def test_every_401_has_a_challenge_with_a_realm(db: None, path: str, header: str | None) -> None:
    response = endpoints.post(path, FORM, auth=header)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith(("Basic", "Bearer", "DPoP"))
    assert ' realm="oauth"' in response["WWW-Authenticate"]
    if not (header or "").startswith(("Bearer", "DPoP")):
        assert_refused(response, 401, "invalid_client")
        assert response["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.requirement("9111-5.2.2.5-a")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_answer_of_an_endpoint_is_stored_by_a_cache(machine: Any, path: str) -> None:
    answers = [
        endpoints.post(path, FORM, auth=machine),
        endpoints.post(path, FORM),
        endpoints.post(path, "x=1&x=2", auth=machine),
        endpoints.post(path, "{}", auth=machine, content_type="application/json"),
    ]

    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}
    assert [answer.status_code for answer in answers] == [200, 401, 400, 415]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_beyond_a_megabyte_is_413(machine: Any, path: str) -> None:
    assert_refused(endpoints.post(path, {"token": "x" * 1024 * 1024}, auth=machine), 413, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_beyond_what_the_project_allows_is_413(settings: Any, machine: Any, path: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    assert_refused(endpoints.post(path, FORM, auth=machine), 413, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_more_parameters_than_anybody_needs_are_refused(machine: Any, path: str) -> None:
    many = {**FORM, **{f"x{n}": "1" for n in range(100)}}

    assert_refused(endpoints.post(path, many, auth=machine), 400, "invalid_request")


@pytest.mark.parametrize("length", ["abc", "-1", "1e3"])
def test_a_content_length_that_is_no_number_is_an_invalid_request(machine: Any, length: str) -> None:
    response = endpoints.post("/oauth/introspect", FORM, auth=machine, headers={"Content-Length": length})

    assert_refused(response, 400, "invalid_request")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "image/png;q=0", "nonsense"])
def test_what_the_client_accepts_does_not_change_the_answer(resource_server: Any, accept: str) -> None:
    token = factories.TokenFactory().access_token

    response = endpoints.post(
        "/oauth/introspect?format=api&_method=GET", {"token": token}, auth=resource_server, headers={"Accept": accept}
    )

    assert response["Content-Type"] == "application/json"
    assert response.content == endpoints.introspect(token, auth=resource_server).content
