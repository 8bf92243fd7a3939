"""An authorization server that is made of Authlib, as its documentation shows, in a process of its own.

FORMAT is that of the access tokens. What Authlib leaves to its user is kept in memory: clients, codes and tokens.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from authlib.integrations.django_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Request, TokenMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator, JWTIntrospectionEndpoint
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from django.http import JsonResponse
from django.urls import path
from joserfc.jwk import KeySet, RSAKey

from tests.peers.django_server import USERNAME, serve

ENV = os.environ
ISSUER = f"http://127.0.0.1:{ENV['PORT']}"
KEYS = KeySet([RSAKey.generate_key(2048, {"kid": "authlib-1", "use": "sig", "alg": "RS256"}, auto_kid=False)])


@dataclass
class User:
    id: str = "7"
    username: str = USERNAME

    def get_user_id(self) -> str:
        return self.id


ALICE = User()


@dataclass
class Client(ClientMixin):  # type: ignore[misc]  # without types
    client_id: str
    client_secret: str
    grant_types: tuple[str, ...]
    user_id: None = None
    id_token_signed_response_alg: str = "RS256"

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(name for name in (scope or "").split() if name in ("openid", "orders:read", "orders:sell"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == ENV["REDIRECT"]

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.client_secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


@dataclass
class Token(TokenMixin):  # type: ignore[misc]
    client_id: str
    user: User | None
    access_token: str
    expires_in: int
    token_type: str
    scope: str = ""
    refresh_token: str | None = None
    id_token: str | None = None
    issued_at: int = field(default_factory=lambda: int(time.time()))

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return time.time() > self.issued_at + self.expires_in

    def is_revoked(self) -> bool:
        return False


@dataclass
class Code:
    code: str
    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str
    nonce: str | None = None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    get_amr = get_acr


CODES: dict[str, Code] = {}
TOKENS: list[Token] = []


class Server(AuthorizationServer):  # type: ignore[misc]
    def create_oauth2_request(self, request: Any) -> Any:
        """Take a request that is one already: Authlib fails at the second endpoint of a name."""
        return request if isinstance(request, OAuth2Request) else super().create_oauth2_request(request)

    def query_client(self, client_id: str) -> Client | None:
        return CLIENTS.get(client_id)

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        TOKENS.append(Token(client_id=request.client.client_id, user=request.user, **token))


CLIENTS = {
    ENV[f"{prefix}_ID"]: Client(ENV[f"{prefix}_ID"], ENV[f"{prefix}_SECRET"], grant_types)
    for prefix, grant_types in {
        "CLIENT": ("client_credentials",),
        "WEB": ("authorization_code", "refresh_token"),
        "CALLER": (),
    }.items()
}


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        CODES[code] = Code(
            code,
            request.client.client_id,
            request.payload.redirect_uri,
            request.payload.scope,
            data["code_challenge"],
            data["code_challenge_method"],
            data.get("nonce"),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return CODES.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del CODES[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> User:
        return ALICE


class IDTokens(OpenIDCode):  # type: ignore[misc]
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def resolve_client_private_key(self, client: Client) -> Any:
        return KEYS

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": ISSUER, "aud": [client.client_id]}

    def generate_user_info(self, user: User, scope: str) -> Any:
        return UserInfo(sub=user.id)


class JWTs(JWTBearerTokenGenerator):  # type: ignore[misc]
    def get_jwks(self) -> Any:
        return KEYS

    def get_audiences(self, client: Client, user: User | None, scope: str) -> list[str]:
        return [ENV["RESOURCE"]]

    def get_extra_claims(self, client: Client, grant_type: str, user: User | None, scope: str) -> dict[str, Any]:
        return {"roles": ["seller"]} if user and "orders:sell" in scope.split() else {}


class JWTIntrospection(JWTIntrospectionEndpoint):  # type: ignore[misc]
    def get_jwks(self) -> Any:
        return KEYS

    def get_username(self, user_id: str) -> str | None:
        return USERNAME if user_id == ALICE.id else None

    def check_permission(self, token: Any, client: Client, request: Any) -> bool:
        return client.client_id == ENV["CALLER_ID"]


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        names = {"access_token": ["access_token"], "refresh_token": ["refresh_token"]}
        searched = names.get(str(token_type_hint), ["access_token", "refresh_token"])
        return next((token for token in TOKENS for name in searched if getattr(token, name) == token_string), None)

    def check_permission(self, token: Token, client: Client, request: Any) -> bool:
        return client.client_id == ENV["CALLER_ID"]

    def introspect_token(self, token: Token) -> dict[str, Any]:
        members = {
            "active": True,
            "client_id": token.client_id,
            "token_type": token.token_type,
            "username": token.user.username if token.user else None,
            "scope": token.scope,
            "sub": token.user.id if token.user else None,
            "aud": ENV["RESOURCE"],
            "iss": ISSUER,
            "exp": token.issued_at + token.expires_in,
            "iat": token.issued_at,
        }
        return {name: value for name, value in members.items() if value is not None}


def metadata(request: Any) -> JsonResponse:
    return JsonResponse(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/oauth/authorize",
            "token_endpoint": f"{ISSUER}/oauth/token",
            "introspection_endpoint": f"{ISSUER}/oauth/introspect",
            "jwks_uri": f"{ISSUER}/oauth/jwks",
            "response_types_supported": ["code"],
        }
    )


@cache
def server() -> Server:
    """Make the server once Django has its settings."""
    made = Server(Client, Token)
    made.register_grant(CodeGrant, [CodeChallenge(required=True), IDTokens()])
    made.register_grant(grants.ClientCredentialsGrant)
    if ENV.get("FORMAT") == "jwt":
        refresh = made.create_bearer_token_generator().refresh_token_generator
        made.register_token_generator("default", JWTs(ISSUER, refresh_token_generator=refresh))
    made.register_endpoint(JWTIntrospection(ISSUER))
    made.register_endpoint(Introspection)
    return made


def authorize(request: Any) -> Any:
    grant = server().get_consent_grant(request, end_user=ALICE)
    return server().create_authorization_response(request, grant_user=ALICE, grant=grant)


URLS = [
    path(".well-known/oauth-authorization-server", metadata),
    path("oauth/authorize", authorize),
    path("oauth/token", lambda request: server().create_token_response(request)),
    path("oauth/introspect", lambda request: server().create_endpoint_response("introspection", request)),
    path("oauth/jwks", lambda request: JsonResponse(KEYS.as_dict(private=False))),
]

if __name__ == "__main__":
    serve(lambda: URLS, AUTHLIB_OAUTH2_PROVIDER={"refresh_token_generator": True})
