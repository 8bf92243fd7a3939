"""Making clients, secrets and tokens. Their values exist in the clear only here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import router, transaction

from .. import revocations
from ..backends.subjects import user_name, user_subject
from ..conf import introspection_settings
from ..models import Client, ClientSecret, IntrospectionPolicy, Token, TokenKind
from ..models.fields import now, uuid7, validate_resources, validate_scope
from ..protocol import dialects, opaque
from ..protocol.actors import wrong_actor
from ..protocol.authorization_details import MEMBER
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.networks import MAX_NETWORKS, read_networks
from ..protocol.networks import MEMBER as NETWORKS
from ..protocol.scope import format_scope, parse_scope
from ..protocol.step_up import wrong_authentication
from ..signals import token_issued
from ..user_models import is_active_user
from .ending import end_if_disabled
from .jwt_access_tokens import can_sign_jwt, should_be_jwt, sign
from .restoring import restore_if_needed

COMPUTED_MEMBERS = frozenset(
    {
        "active",
        "scope",
        "client_id",
        "username",
        "token_type",
        "token_use",
        "exp",
        "iat",
        "nbf",
        "sub",
        "aud",
        "iss",
        "jti",
        MEMBER,
    }
)
_KINDS = {TokenKind.ACCESS: opaque.ACCESS_TOKEN, TokenKind.REFRESH: opaque.REFRESH_TOKEN}


class Registration(NamedTuple):
    """A new client and its first secret; None for a client that authenticates by other means."""

    client: Client
    secret: str | None

    def __repr__(self) -> str:
        return f"<Registration {self.client.client_id}>"


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """New tokens; `expires_in` in seconds. `issued_token_type` is for a token exchange alone (RFC 8693 §2.2.1)."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    scope: str
    token: Token
    issued_token_type: str | None = None


@conceal_locals
def register(*, client_secret: str | None = None, **metadata: Any) -> Registration:
    """Register a client from the fields of `Client`, with a generated secret or a provisioned one.

    `introspection_policy` is `audience` for a client that serves `resources`, else `own`. Raises ValidationError for
    wrong metadata and for a provisioned secret of fewer than 32 characters, or of a client that has no secrets.
    """
    if metadata.get("resources"):
        metadata.setdefault("introspection_policy", IntrospectionPolicy.AUDIENCE)
    client = Client(**metadata)
    client.full_clean()
    if not client.has_secrets and client_secret is not None:
        raise ValidationError("This client does not authenticate by a secret.")
    with transaction.atomic(using=router.db_for_write(Client)):
        client.save()
        secret = add_secret(client, client_secret) if client.has_secrets else None
    return Registration(client, secret)


@conceal_locals
def add_secret(
    client: Client, value: str | None = None, *, expires_at: datetime | None = None, form_id: UUID | None = None
) -> str:
    """Add a secret to a client, beside the ones it has, and return it.

    `form_id` names the form that asks for it, which gets no second one: IntegrityError.

    Raises ValidationError for a provisioned one of fewer than 32 characters: only its fast digest is kept, so it
    must not be guessable. Raises it as well for one that the client has already.
    """
    if value is None:
        value = introspection_settings.TOKEN_PREFIX.generate(opaque.CLIENT_SECRET)
    elif len(value) < opaque.MIN_PROVISIONED_SECRET or opaque.has_control_characters(value):
        raise ValidationError(
            f"A provisioned secret has at least {opaque.MIN_PROVISIONED_SECRET} characters, no control characters."
        )
    secret = ClientSecret(
        client=client,
        digest=opaque.digest(value),
        hint=opaque.hint(value),
        expires_at=expires_at,
        form_id=form_id,
    )
    secret.validate_constraints()
    secret.save()
    return value


@conceal_locals
def issue(
    *,
    client: Client,
    user: Any = None,
    scope: str = "",
    audience: Iterable[str] = (),
    refresh: bool = False,
    lifetime: timedelta | None = None,
    not_before: datetime | None = None,
    members: Mapping[str, Any] | None = None,
    authorization_details: Iterable[Mapping[str, Any]] = (),
    token_id: UUID | None = None,
    beside: AbstractContextManager[Any] | None = None,
) -> IssuedToken:
    """Issue tokens of one new grant.

    `lifetime` is the access token's, by default ACCESS_TOKEN_LIFETIME or the client's own if that is shorter. With
    `refresh` the access token expires with the grant at the latest. `members` are further members of the answer;
    `authorization_details` are of the types in AUTHORIZATION_DETAILS_TYPES, and conform to them (RFC 9396 §5).
    `token_id` is for those who may ask twice: the second time raises IntegrityError, and nothing is issued. `beside` is
    entered within the transaction that makes the tokens. Raises ValidationError for a malformed scope or audience, a
    lifetime that is not positive, a member that is computed here, malformed or the name of another kind of token, a
    client or user that is not active, a user whom SUBJECT does not name or names like the client, and a JWT that cannot
    be made: one without ISSUER, SIGNING_KEYS or audience (RFC 9068 §2.2), or one that is too large. Raises
    IntrospectionUnavailable if a function of the project fails that checks authorization details, and for a JWT whose
    client or user was disabled meanwhile, if its tombstone cannot be written.
    """
    _check(client, user, members or {}, lifetime)
    validate_scope(scope)
    audience = list(audience)
    validate_resources(audience)
    if should_be_jwt(client, audience) and not (audience and can_sign_jwt()):
        raise ValidationError("A JWT access token needs the settings ISSUER and SIGNING_KEYS, and an audience.")
    members = {**(members or {}), **_details(authorization_details, audience)}
    issued_at = now()
    expires_at = issued_at + (lifetime or access_token_lifetime(client))
    grant_expires_at = issued_at + refresh_token_lifetime(client)
    if refresh:  # no token outlives its grant
        expires_at = min(expires_at, grant_expires_at)
    grant = {
        "client": client,
        "user": user,
        "scope": format_scope(parse_scope(scope)),
        "audience": audience,
        "members": members,
        "grant_id": uuid7(),
        "issued_at": issued_at,
        "not_before": not_before,
    }
    with transaction.atomic(using=router.db_for_write(Token)), beside or nullcontext():
        token, access_token = create(TokenKind.ACCESS, expires_at, {**grant, "id": token_id or uuid7()})
        rows, refresh_token = [token], None
        if refresh:
            row, refresh_token = create_refresh_token(grant, grant_expires_at)
            rows.append(row)
    return announce(rows, access_token, refresh_token)


def bound_to(cnf: Mapping[str, str]) -> dict[str, Any]:
    """Return the members that bind an access token to keys, none for a bearer token."""
    return {"cnf": dict(cnf)} if cnf else {}


def access_token_lifetime(client: Client) -> timedelta:
    """Return how long an access token of a client lives."""
    return _shorter(introspection_settings.ACCESS_TOKEN_LIFETIME, client.access_token_lifetime)


def refresh_token_lifetime(client: Client) -> timedelta:
    """Return how long the refresh tokens of a client's grant live, all of them together."""
    return _shorter(introspection_settings.REFRESH_TOKEN_LIFETIME, client.refresh_token_lifetime)


def _shorter(setting: int, own: int | None) -> timedelta:
    return timedelta(seconds=setting if own is None else min(setting, own))


def create_refresh_token(grant: Mapping[str, Any], grant_expires_at: datetime) -> tuple[Token, str]:
    """Make a refresh token that ends when it is not used, and with its grant (RFC 9700 §4.14.2)."""
    idle = grant["issued_at"] + timedelta(seconds=introspection_settings.REFRESH_TOKEN_IDLE)
    return create(TokenKind.REFRESH, min(idle, grant_expires_at), {**grant, "grant_expires_at": grant_expires_at})


def announce(rows: list[Token], access_token: str, refresh_token: str | None) -> IssuedToken:
    """Send the signal of each new token, the access token first, and return what its holder gets.

    Outside of the transaction that made them, which a receiver that fails in the database would undo. Raises
    IntrospectionUnavailable if the access token has ended already and its tombstone cannot be written.
    """
    for row in rows:
        token_issued.send_robust(Token, token=row, client=row.client)
    token = rows[0]
    if should_be_jwt(token.client, token.audience) and revocations.are_ends_wanted():
        transaction.on_commit(partial(end_if_disabled, token), using=router.db_for_write(Token))
    restore_if_needed()  # before a resource server meets the token
    expires_in = int((token.expires_at - token.issued_at).total_seconds())
    return IssuedToken(access_token, refresh_token, expires_in, token.scope, token)


def create(kind: TokenKind, expires_at: datetime, grant: Mapping[str, Any]) -> tuple[Token, str]:
    """Make a token of a kind; the access token of some clients is a JWT."""
    token = Token(kind=kind, expires_at=expires_at, **grant)
    if kind == TokenKind.ACCESS and should_be_jwt(token.client, token.audience):
        value, token.digest = sign(token)
    else:
        value = introspection_settings.TOKEN_PREFIX.generate(_KINDS[kind])
        token.digest = opaque.digest(value)
    token.save(force_insert=True, using=router.db_for_write(Token))
    return token, value


def _check(client: Client, user: Any, members: Mapping[str, Any], lifetime: timedelta | None) -> None:
    if not client.is_active or (user is not None and not is_active_user(user)):
        raise ValidationError("No tokens are issued for a client or user that is not active.")
    if user is not None:
        _check_names(user, client)
    if lifetime is not None and lifetime < timedelta(seconds=1):
        raise ValidationError("A lifetime is one second or more.")
    if computed := COMPUTED_MEMBERS & members.keys():
        raise ValidationError(f"Computed here, not given: {', '.join(sorted(computed))}.")
    if dialects.is_access_token(members) is False:
        raise ValidationError("The members name another kind of token than an access token.")
    if not isinstance(members.get("cnf", {}), Mapping):
        raise ValidationError("The member cnf is an object (RFC 7800 §3.1).")
    if NETWORKS in members and read_networks(members[NETWORKS]) is None:
        raise ValidationError(f"The member {NETWORKS} is a list of 1 to {MAX_NETWORKS} addresses and networks.")
    if problem := wrong_authentication(members) or wrong_actor(members):
        raise ValidationError(f"The member {problem}.")


def _details(details: Iterable[Mapping[str, Any]], audience: list[str]) -> dict[str, Any]:
    if not details:
        return {}
    from .authorization_details import given_details

    try:
        return {MEMBER: given_details(details, audience)}
    except ValueError as problem:
        raise ValidationError(f"The authorization details {problem}.") from problem


def _check_names(user: Any, client: Client) -> None:
    try:
        user_subject(user, client.client_id)
        user_name(user)
    except IntrospectionUnavailable as problem:
        raise ValidationError("SUBJECT or get_username() cannot name this user; the log has the reason.") from problem
