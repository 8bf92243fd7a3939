"""Metadata of authorization servers (RFC 8414) and of protected resources (RFC 9728).

The members that this server decides are apart from the further ones, which a setting adds. A member that is off has an
empty value, and a member that this server does not decide, such as one about an endpoint of another package, is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .jwt import CONTENT_ALGORITHMS, ENCRYPTION_ALGORITHMS

SECRET_METHODS = ["client_secret_basic", "client_secret_post"]

Members = dict[str, Any]


def document(decided: Mapping[str, Any], further: Mapping[str, Any]) -> Members:
    """Return a metadata document, without the members that are empty (RFC 8414 §3.2, RFC 9728 §3.2).

    A further member never replaces one that is decided.
    """
    members = {name: value for name, value in decided.items() if value}
    return members | {name: value for name, value in further.items() if decided.get(name) is None}


def contradictions(decided: Mapping[str, Any], further: Mapping[str, Any]) -> list[str]:
    """Return the names of the further members that contradict the decided ones."""
    return [name for name, value in further.items() if decided.get(name) not in (None, value)]


def server_metadata(
    issuer: str,
    *,
    token_endpoint: str | None,
    introspection_endpoint: str | None,
    revocation_endpoint: str | None,
    grant_types: list[str],
    scopes: list[str],
    protected_resources: list[str],
    jwks_uri: str | None,
    assertion_algorithms: list[str],
    proof_algorithms: list[str],
    authorization_details_types: list[str],
    answer_algorithms: list[str],
    certificate_methods: list[str],
    certificate_endpoints: dict[str, str],
) -> Members:
    """Return the members that an authorization server decides (RFC 8414 §2).

    `response_types_supported` is required but may not be empty, so it is left out if there is no authorization
    endpoint. `assertion_algorithms` are those of private_key_jwt, `proof_algorithms` those of DPoP proofs, and
    `answer_algorithms` those that sign introspection responses (RFC 9701 §7). `certificate_methods` are those of mutual
    TLS, `certificate_endpoints` the endpoints that ask for a certificate, if these are others (RFC 8705 §5). Each is
    empty if this server does not support it.
    """
    methods = [*SECRET_METHODS, *(["private_key_jwt"] if assertion_algorithms else []), *certificate_methods]
    return {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "scopes_supported": scopes or None,
        "protected_resources": protected_resources or None,
        "mtls_endpoint_aliases": certificate_endpoints,
        **_of_endpoint(
            token_endpoint,
            token_endpoint=token_endpoint,
            token_endpoint_auth_methods_supported=methods,
            token_endpoint_auth_signing_alg_values_supported=assertion_algorithms,
            grant_types_supported=grant_types,
            dpop_signing_alg_values_supported=proof_algorithms,
            authorization_details_types_supported=authorization_details_types,
            tls_client_certificate_bound_access_tokens=bool(certificate_methods),
        ),
        **_of_endpoint(
            introspection_endpoint,
            introspection_endpoint=introspection_endpoint,
            introspection_endpoint_auth_methods_supported=[*methods, "Bearer", *(["DPoP"] if proof_algorithms else [])],
            introspection_endpoint_auth_signing_alg_values_supported=assertion_algorithms,
            introspection_signing_alg_values_supported=answer_algorithms,
            introspection_encryption_alg_values_supported=list(ENCRYPTION_ALGORITHMS) if answer_algorithms else [],
            introspection_encryption_enc_values_supported=list(CONTENT_ALGORITHMS) if answer_algorithms else [],
        ),
        **_of_endpoint(
            revocation_endpoint,
            revocation_endpoint=revocation_endpoint,
            revocation_endpoint_auth_methods_supported=methods,
            revocation_endpoint_auth_signing_alg_values_supported=assertion_algorithms,
        ),
    }


def _of_endpoint(url: str | None, **members: Any) -> Members:
    """Return the members about an endpoint, none if it is not there."""
    return members if url else {}


def resource_metadata(
    resource: str,
    *,
    authorization_servers: list[str],
    scopes: list[str],
    bearer_methods: list[str],
    name: str | None,
    proof_algorithms: list[str],
    proofs_required: bool,
    takes_certificates: bool,
) -> Members:
    """Return the members that a resource server decides about one of its resources (RFC 9728 §2)."""
    return {
        "resource": resource,
        "authorization_servers": authorization_servers or None,
        "scopes_supported": scopes or None,
        "bearer_methods_supported": bearer_methods,
        "resource_name": name,
        "dpop_signing_alg_values_supported": proof_algorithms,
        "dpop_bound_access_tokens_required": proofs_required,
        "tls_client_certificate_bound_access_tokens": takes_certificates,
    }
