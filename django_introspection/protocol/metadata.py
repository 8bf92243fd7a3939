"""Metadata of authorization servers (RFC 8414) and of protected resources (RFC 9728)."""

from __future__ import annotations

from typing import Any

SECRET_METHODS = ["client_secret_basic", "client_secret_post"]


def server_metadata(
    issuer: str,
    *,
    token_endpoint: str | None,
    introspection_endpoint: str | None,
    revocation_endpoint: str | None,
    grant_types: list[str],
    scopes: list[str],
    protected_resources: list[str],
    jwks_uri: str | None = None,
    assertion_algorithms: list[str] | None = None,
) -> dict[str, Any]:
    """Return the metadata document of an issuer, without the members that have no value (RFC 8414 §2, §3.2).

    `response_types_supported` is required but may not be empty, so it is left out if there is no authorization
    endpoint. `assertion_algorithms` are those of private_key_jwt, if it is supported.
    """
    methods = [*SECRET_METHODS, *(["private_key_jwt"] if assertion_algorithms else [])]
    members = {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "token_endpoint": token_endpoint,
        "token_endpoint_auth_methods_supported": token_endpoint and methods,
        "token_endpoint_auth_signing_alg_values_supported": token_endpoint and assertion_algorithms,
        "grant_types_supported": grant_types,
        "scopes_supported": scopes,
        "protected_resources": protected_resources,
        "introspection_endpoint": introspection_endpoint,
        "introspection_endpoint_auth_methods_supported": introspection_endpoint and [*methods, "Bearer"],
        "introspection_endpoint_auth_signing_alg_values_supported": introspection_endpoint and assertion_algorithms,
        "revocation_endpoint": revocation_endpoint,
        "revocation_endpoint_auth_methods_supported": revocation_endpoint and methods,
        "revocation_endpoint_auth_signing_alg_values_supported": revocation_endpoint and assertion_algorithms,
    }
    return {name: value for name, value in members.items() if value}


def resource_metadata(
    resource: str,
    *,
    authorization_servers: list[str],
    scopes: list[str],
    bearer_methods: list[str],
    name: str | None,
    proof_algorithms: list[str],
    proofs_required: bool,
) -> dict[str, Any]:
    """Return the metadata document of a protected resource, without the members that are empty (RFC 9728 §2, §3.2)."""
    members = {
        "resource": resource,
        "authorization_servers": authorization_servers,
        "scopes_supported": scopes,
        "bearer_methods_supported": bearer_methods,
        "resource_name": name,
        "dpop_signing_alg_values_supported": proof_algorithms,
        "dpop_bound_access_tokens_required": proofs_required,
    }
    return {member: value for member, value in members.items() if value}
