from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.metadata import contradictions, document, resource_metadata, server_metadata

ISSUER = "https://auth.example.com"


def decided(**changes: Any) -> dict[str, Any]:
    return server_metadata(
        ISSUER,
        **{
            "token_endpoint": f"{ISSUER}/token",
            "introspection_endpoint": f"{ISSUER}/introspect",
            "revocation_endpoint": f"{ISSUER}/revoke",
            "grant_types": ["client_credentials"],
            "scopes": ["introspection"],
            "protected_resources": [],
            "jwks_uri": None,
            "assertion_algorithms": [],
            "proof_algorithms": [],
            "authorization_details_types": [],
            "answer_algorithms": [],
            "certificate_methods": [],
            "certificate_endpoints": {},
            **changes,
        },
    )


def metadata(**changes: Any) -> dict[str, Any]:
    return document(decided(**changes), {})


@pytest.mark.requirement("8414-2-b", "8414-2-d", "8414-2-e", "8414-2-f", "8414-2-i")
def test_the_document_names_the_endpoints_and_how_to_authenticate_there() -> None:
    members = metadata()
    secret_methods = ["client_secret_basic", "client_secret_post"]

    assert members["issuer"] == ISSUER
    assert members["token_endpoint"] == f"{ISSUER}/token"
    assert members["grant_types_supported"] == ["client_credentials"]
    assert members["scopes_supported"] == ["introspection"]
    assert members["token_endpoint_auth_methods_supported"] == secret_methods
    assert members["revocation_endpoint_auth_methods_supported"] == secret_methods
    assert members["introspection_endpoint_auth_methods_supported"] == [*secret_methods, "Bearer"]


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


@pytest.mark.requirement("8414-2-c")
def test_a_further_member_is_added_and_replaces_none_that_is_decided() -> None:
    further = {"authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": "https://evil.example/token"}

    members = document(decided(), further)

    assert members["authorization_endpoint"] == f"{ISSUER}/authorize"
    assert members["token_endpoint"] == f"{ISSUER}/token"


def test_a_feature_that_is_off_cannot_be_announced() -> None:
    algorithms = {"introspection_endpoint_auth_signing_alg_values_supported": ["RS256"]}

    assert document(decided(), algorithms) == metadata()
    assert contradictions(decided(), algorithms) == list(algorithms)
    assert contradictions(decided(assertion_algorithms=["RS256"]), algorithms) == []


def test_members_about_an_endpoint_of_another_package_are_further_members() -> None:
    foreign = {"token_endpoint": f"{ISSUER}/o/token", "grant_types_supported": ["authorization_code"]}

    assert contradictions(decided(), foreign) == ["token_endpoint", "grant_types_supported"]
    assert contradictions(decided(token_endpoint=None), foreign) == []
    assert document(decided(token_endpoint=None), foreign).items() >= foreign.items()


@pytest.mark.requirement("9728-2-c", "9728-3.2-a")
def test_a_resource_announces_no_proofs_that_its_views_do_not_take() -> None:
    members = resource_metadata(
        f"{ISSUER}/orders",
        authorization_servers=[],
        scopes=[],
        bearer_methods=["header"],
        name=None,
        proof_algorithms=[],
        proofs_required=False,
        takes_certificates=False,
    )
    further = {"dpop_bound_access_tokens_required": True, "resource_documentation": "https://docs.example"}

    assert contradictions(members, further) == ["dpop_bound_access_tokens_required"]
    assert document(members, further) == {
        "resource": f"{ISSUER}/orders",
        "bearer_methods_supported": ["header"],
        "resource_documentation": "https://docs.example",
    }
