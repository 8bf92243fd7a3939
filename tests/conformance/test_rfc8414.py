"""RFC 8414: authorization server metadata."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.test import Client as Browser
from django.urls import include, path

from django_introspection.check_messages import TAG
from django_introspection.models import GrantType
from django_introspection.protocol.jwt import SIGNING_ALGORITHMS
from tests.authorization_server.helpers import assert_refused
from tests.settings import ISSUER, TOKEN_INTROSPECTION

WELL_KNOWN = "/.well-known/oauth-authorization-server"
urlpatterns = [path("", include("django_introspection.well_known_urls"))]


def get(url: str = WELL_KNOWN, **headers: str) -> Any:
    return Browser().get(url, headers=headers)


@pytest.fixture
def issue_as(settings: Any) -> Any:
    """Rename the issuer."""

    def rename(issuer: str | None) -> None:
        settings.TOKEN_INTROSPECTION = {"ISSUER": issuer} if issuer else {}

    return rename


@pytest.mark.requirement(
    "8414-2-a", "8414-2-b", "8414-2-c", "8414-2-d", "8414-2-e", "8414-2-f", "8414-3-a", "8414-3.2-a", "7009-2-b"
)
def test_the_document_says_what_is_there_and_nothing_else() -> None:
    response = get()

    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    algorithms = list(SIGNING_ALGORITHMS)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/token",
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "grant_types_supported": list(GrantType.values),
        "scopes_supported": ["introspection"],
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": [*methods, "Bearer", "DPoP"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocations_endpoint": f"{ISSUER}/oauth/revocations",
        "dpop_signing_alg_values_supported": algorithms,
    }


@pytest.mark.requirement("9728-7.10-a")
def test_the_document_may_be_cached() -> None:
    response = get()

    assert response["Cache-Control"] == "public, max-age=3600"
    assert "Pragma" not in response
    assert "Vary" not in response


@pytest.mark.requirement("8414-3-a", "8414-3.1-a")
@pytest.mark.parametrize("issuer", ["https://h.example/t1", "https://h.example/t1/"])
@pytest.mark.parametrize("suffix", ["/t1", "/t1/"])
def test_the_path_of_an_issuer_comes_after_the_well_known_part(issue_as: Any, issuer: str, suffix: str) -> None:
    issue_as(issuer)

    document = get(WELL_KNOWN + suffix).json()

    assert document["issuer"] == issuer
    assert document["token_endpoint"] == "https://h.example/oauth/token"


@pytest.mark.requirement("8414-3-a")
@pytest.mark.parametrize(
    ("issuer", "suffix"),
    [
        ("https://h.example", "/t1"),
        ("https://h.example/t1", ""),
        ("https://h.example/t1", "/"),
        ("https://h.example/t1", "/t2"),
        ("https://h.example/t1", "/T1"),
        ("https://h.example/t1", "/t1/t1"),
        (None, ""),
    ],
)
def test_a_path_that_is_no_issuers_is_not_found(issue_as: Any, issuer: str | None, suffix: str) -> None:
    issue_as(issuer)

    assert_refused(get(WELL_KNOWN + suffix), 404, "invalid_request")


@pytest.mark.requirement("8414-P")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8443", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"},
        {"Forwarded": "host=evil.example"},
    ],
)
def test_a_forged_host_changes_nothing(settings: Any, headers: dict[str, str]) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.USE_X_FORWARDED_HOST = True

    assert get(**headers).content == get().content
    assert b"evil" not in get(**headers).content


@pytest.mark.requirement("9110-9.1-a")
def test_head_has_the_headers_of_get_and_no_body() -> None:
    head, full = Browser().head(WELL_KNOWN), get()

    assert (head.status_code, head.content) == (200, b"")
    assert {name: head[name] for name in ("Content-Type", "Cache-Control")} == {
        name: full[name] for name in ("Content-Type", "Cache-Control")
    }


@pytest.mark.requirement("9110-15.5.6-a")
@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_other_methods_are_405(method: str) -> None:
    response = getattr(Browser(), method)(WELL_KNOWN)

    assert response.status_code == 405
    assert {name.strip() for name in response["Allow"].split(",")} == {"GET", "HEAD"}


@pytest.mark.requirement("8414-3.2-a", "8414-2-b")
def test_a_project_without_our_endpoints_names_none_of_them(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__

    document = get().json()

    assert not [name for name in document if "endpoint" in name]
    assert [] not in document.values()


AUTHORIZATION = {"authorization_endpoint": f"{ISSUER}/authorize", "response_types_supported": ["code"]}


@pytest.mark.requirement("8414-2-c")
def test_members_that_other_software_demands_are_added_by_a_setting(settings: Any) -> None:
    before = get().json()
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "METADATA": AUTHORIZATION}

    assert get().json() == {**before, **AUTHORIZATION}


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://evil.example/token"},
        {"grant_types_supported": ["authorization_code"]},
        {"scopes_supported": ["everything"]},
    ],
)
def test_a_member_that_contradicts_this_server_is_an_error_and_is_not_served(settings: Any, metadata: Any) -> None:
    before = get().json()
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "METADATA": metadata}

    assert get().json() == before
    assert [message.id for message in checks.run_checks(tags=[TAG])] == ["introspection.E070"]


def test_a_member_that_repeats_what_this_server_decides_is_no_error(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "METADATA": {"grant_types_supported": GrantType.values}}

    assert checks.run_checks(tags=[TAG]) == []


@pytest.mark.requirement("8414-3.2-a", "8414-2-g")
@pytest.mark.parametrize(
    "metadata",
    [
        [],
        {1: "x"},
        {"": "x"},
        {"service_documentation": b"x"},
        {"op_tos_uri": None},
        {"ui_locales_supported": []},
        {"authorization_endpoint": "http://auth.example.com/authorize", "response_types_supported": ["code"]},
        {"authorization_endpoint": f"{ISSUER}/authorize"},
        {"registration_endpoint": 5},
        {"jwks_uri": "auth.example.com/keys"},
        {"signed_metadata": "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"},
        {"request_object_signing_alg_values_supported": ["RS256", "none"]},
    ],
    ids=str,
)
def test_a_member_that_no_document_may_have_is_an_invalid_setting(settings: Any, metadata: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "METADATA": metadata}

    assert [message.id for message in checks.run_checks(tags=[TAG])] == ["introspection.E002"]
