"""Token requests: the tokens that a client gets for its grant, by grant type (RFC 6749 §4.4, §6, RFC 8693)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..models import Client, GrantType
from ..protocol.errors import InvalidRequest, UnauthorizedClient, UnsupportedGrantType
from ..protocol.form import Form
from ..protocol.scope import format_scope
from .authorization_details import requested_details
from .issuing import IssuedToken, bound_to, issue
from .jwt_access_tokens import TokenTooLarge, require_signing
from .resources import new_grant
from .rotation import refresh


def grant_tokens(client: Client, form: Form, cnf: Mapping[str, str]) -> IssuedToken:
    """Answer a token request of an authenticated client; raises OAuthError.

    `cnf` names the keys that the access token is bound to, empty for a bearer token.
    """
    grant_type = form.require("grant_type")
    if grant_type not in GRANTS:
        raise UnsupportedGrantType("This grant type is not supported.")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient("This client may not use this grant type.")
    try:
        return GRANTS[grant_type](client, form, cnf)
    except TokenTooLarge:
        raise InvalidRequest("The token would be too large: ask for less.") from None


def client_credentials(client: Client, form: Form, cnf: Mapping[str, str]) -> IssuedToken:
    """Issue an access token for the client's own credentials, and no refresh token (RFC 6749 §4.4.3)."""
    scope, audience = new_grant(client, form.get("scope"), form.all("resource"))
    require_signing(client, audience)
    return issue(
        client=client,
        scope=format_scope(scope),
        audience=audience,
        members=bound_to(cnf),
        authorization_details=requested_details(client, form, audience),
    )


def token_exchange(client: Client, form: Form, cnf: Mapping[str, str]) -> IssuedToken:
    """Issue an access token for the subject of another one (RFC 8693 §2); imported when a client asks for it."""
    from .token_exchange import exchange

    return exchange(client, form, cnf)


GRANTS: dict[str, Callable[[Client, Form, Mapping[str, str]], IssuedToken]] = {
    GrantType.CLIENT_CREDENTIALS: client_credentials,
    GrantType.REFRESH_TOKEN: refresh,
    GrantType.TOKEN_EXCHANGE: token_exchange,
}
