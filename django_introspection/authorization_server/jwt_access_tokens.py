"""Access tokens that say what they mean: JWTs signed by this server (RFC 9068)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.core.exceptions import ValidationError

from ..backends.database import describe_token
from ..conf import introspection_settings
from ..keys import signing_keys
from ..models import AccessTokenFormat, Client, Token
from ..protocol.errors import InvalidTarget, TemporarilyUnavailable
from ..protocol.identifiers import names_any_of
from ..protocol.jwt import ACCESS_TOKEN_TYPE, MAX_JWT, token_identity

logger = logging.getLogger("django_introspection")

NOT_CLAIMS = frozenset(
    {
        *("active", "username", "token_type"),  # said by introspection alone
        *("nonce", "at_hash", "c_hash", "s_hash", "events", "htm", "htu", "ath", "token_introspection"),
    }
)
"""Members that stay out of the token; the second row are the marks of other kinds of JWT (RFC 8725 §3.12)."""


class TokenTooLarge(ValidationError):
    """A token is longer than resource servers read."""


def should_be_jwt(client: Client, audience: Iterable[str]) -> bool:
    """Return whether an access token must be a JWT: if the client's are, or those for one of its resources."""
    jwt_resources = [name for name, resource in introspection_settings.RESOURCES.items() if resource.takes_jwt]
    return names_any_of(jwt_resources, audience) or client.access_token_format == AccessTokenFormat.JWT


def can_sign_jwt() -> bool:
    """Return whether ISSUER and SIGNING_KEYS are set."""
    return introspection_settings.ISSUER is not None and bool(signing_keys())


def require_signing(client: Client, audience: list[str]) -> None:
    """Refuse to promise a JWT that cannot be made: TemporarilyUnavailable without keys, InvalidTarget without audience.

    RFC 9068 §2.2 requires an audience.
    """
    if not should_be_jwt(client, audience):
        return
    if not can_sign_jwt():
        logger.error("no JWT access token can be made: ISSUER or SIGNING_KEYS is not set")
        raise TemporarilyUnavailable("The server cannot make this token at the moment.")
    if not audience:
        raise InvalidTarget("Name the resource that the token is for.")


def sign(token: Token) -> tuple[str, bytes]:
    """Return the value of a token that is not stored yet, and the digest to store it under.

    The claims are the members of an introspection answer. The digest covers the signed text without the signature.
    Raises TokenTooLarge.
    """
    claims = {name: value for name, value in describe_token(token.record()).to_dict().items() if name not in NOT_CLAIMS}
    value = signing_keys()[0].sign_jwt(ACCESS_TOKEN_TYPE, claims)
    if len(value) > MAX_JWT:
        raise TokenTooLarge("The token would be too large.")
    return value, token_identity(value)
