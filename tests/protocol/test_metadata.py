from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.metadata import server_metadata

ISSUER = "https://auth.example.com"


def metadata(**changes: Any) -> dict[str, Any]:
    return server_metadata(
        ISSUER,
        **{
            "token_endpoint": f"{ISSUER}/token",
            "introspection_endpoint": f"{ISSUER}/introspect",
            "revocation_endpoint": f"{ISSUER}/revoke",
            "grant_types": ["client_credentials"],
            "scopes": ["introspection"],
            "protected_resources": [],
            **changes,
        },
    )


@pytest.mark.requirement("8414-2-b", "8414-2-d", "8414-2-e", "8414-2-f", "8414-2-i")
def test_the_document_names_the_endpoints_and_how_to_authenticate_there() -> None:
    document = metadata()
    secret_methods = ["client_secret_basic", "client_secret_post"]

    assert document["issuer"] == ISSUER
    assert document["token_endpoint"] == f"{ISSUER}/token"
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["scopes_supported"] == ["introspection"]
    assert document["token_endpoint_auth_methods_supported"] == secret_methods
    assert document["revocation_endpoint_auth_methods_supported"] == secret_methods
    assert document["introspection_endpoint_auth_methods_supported"] == [*secret_methods, "Bearer"]


@pytest.mark.requirement("8414-2-c")
def test_without_an_authorization_endpoint_there_are_no_response_types() -> None:
    assert not metadata().keys() & {"authorization_endpoint", "response_types_supported"}


@pytest.mark.requirement("8414-3.2-a")
@pytest.mark.parametrize("kind", ["token", "introspection", "revocation"])
def test_an_endpoint_that_is_not_there_is_left_out_with_its_methods(kind: str) -> None:
    assert not [name for name in metadata(**{f"{kind}_endpoint": None}) if name.startswith(kind)]


@pytest.mark.requirement("8414-3.2-a")
def test_nothing_in_the_document_is_empty() -> None:
    assert "grant_types_supported" not in metadata(grant_types=[])
    assert all(metadata().values())
