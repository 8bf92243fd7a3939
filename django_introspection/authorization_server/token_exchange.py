"""Token exchange: a token for the subject of another token, with a part of its rights (RFC 8693 §2)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F

from ..backends.database import describe_token, find, narrowed_clients
from ..backends.subjects import client_subject, user_subject
from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..models.locking import keep
from ..protocol.actors import acting, may_act
from ..protocol.authorization_details import with_details
from ..protocol.errors import InvalidRequest, InvalidTarget
from ..protocol.form import Form
from ..protocol.networks import MEMBER as NETWORKS
from ..protocol.obtained_token import ACCESS_TOKEN
from ..protocol.scope import format_scope
from .authorization_details import details_of_grant
from .issuing import IssuedToken, access_token_lifetime, announce, bound_to, create
from .jwt_access_tokens import require_signing, should_be_jwt
from .policy import may_see, visible
from .resources import narrow_grant

logger = logging.getLogger("django_introspection")

Confirmation = Mapping[str, str]


def exchange(client: Client, form: Form, cnf: Confirmation) -> IssuedToken:
    """Issue an access token for the subject of another one; `cnf` are the keys that the request has proven.

    The new token shares the grant of the subject token, and ends with either. Raises OAuthError; InvalidRequest for a
    token that is invalid or unacceptable (RFC 8693 §2.2.2).
    """
    _check_types(form)
    subject = _subject(client, form.require("subject_token"), cnf)
    act = _act(client, form, cnf, subject)
    scope, audience = narrow_grant(subject, client, form.get("scope"), form.all("resource") + form.all("audience"))
    require_signing(client, audience)
    details = details_of_grant(subject, client, form, audience)
    at = now()
    members = {**with_details(subject.members, details), **act, **bound_to(cnf)}
    if should_be_jwt(client, audience):
        members = _readable(members, client, has_user=subject.user is not None)
    using = Token.objects.on_primary().db
    clients = {each.pk: each for each in (client, subject.client)}  # in the order in which several are deleted
    with transaction.atomic(using=using):
        keep(*(clients[pk] for pk in sorted(clients)), subject.user, using=using)
        if not _is_still_live(subject):
            raise _refusal(client, "subject", "revoked meanwhile")
        token, value = create(
            TokenKind.ACCESS,
            min(at + access_token_lifetime(client), subject.expires_at),
            {
                "client": client,
                "user": subject.user,
                "scope": format_scope(scope),
                "audience": audience,
                "members": members,
                "grant_id": subject.grant_id,
                "issued_at": at,
                "predecessor": subject,
            },
        )
    return dataclasses.replace(announce([token], value, None), issued_token_type=ACCESS_TOKEN)


def _check_types(form: Form) -> None:
    """Raise InvalidRequest unless access tokens are sent, and one is wanted (RFC 8693 §2.1)."""
    names = ["subject_token_type"]
    if (form.get("actor_token") is None) != (form.get("actor_token_type") is None):
        raise InvalidRequest("The parameters actor_token and actor_token_type come together.")
    names += [name for name in ("actor_token_type", "requested_token_type") if form.get(name) is not None]
    for name in names:
        if form.require(name) != ACCESS_TOKEN:
            raise InvalidRequest(f"The parameter {name} must be {ACCESS_TOKEN}.")


def _subject(client: Client, value: str, cnf: Confirmation) -> Token:
    """Return the subject token; one that the client may not introspect is as invalid as an unknown one."""
    token = _active(value)
    if token is None or not may_see(describe_token(token.record()), client):
        raise _refusal(client, "subject", "inactive, not an access token, or not for this client")
    if token.client.client_id in narrowed_clients:
        raise _refusal(client, "subject", "its rights may shrink, and those of a copy would not")
    is_own = token.client_id == client.pk
    if NETWORKS in token.members and not is_own:  # they are those of its holder, and this client sends from others
        raise _refusal(client, "subject", "limited to the networks of its holder")
    if token.user is None and not is_own:
        raise _refusal(client, "subject", "a token of another client for itself")
    # The holder of a bound token shows its key; an API that received the token has another key, and binds to that.
    if "cnf" in token.members and not (_proves(cnf, token) if is_own else cnf):
        raise _refusal(client, "subject", "bound to a key that the request does not prove")
    return token


def _readable(members: dict[str, Any], client: Client, *, has_user: bool) -> dict[str, Any]:
    """Return the members of a JWT that its holder may see, because a JWT shows them all to its holder.

    Raises InvalidTarget if it would show a user or earlier actors that the client may not see: it cannot go without.
    """
    shown = visible({**members, "sub": None}, client)
    act = members.get("act", {})
    if (has_user and "sub" not in shown) or ("act" in act and "act" not in shown):
        raise InvalidTarget("A token for this resource would show what this client may not see.")
    return {name: value for name, value in members.items() if name in shown or name == "act"}


def _act(client: Client, form: Form, cnf: Confirmation, subject: Token) -> dict[str, Any]:
    """Return the member that names the actor of a delegation, nothing new for an impersonation (RFC 8693 §1.1).

    Without an actor token the client itself is the actor, unless it may impersonate.
    """
    value = form.get("actor_token")
    actor = _identity(client, None) if value is None else _actor(client, value, cnf)
    if not may_act(actor, subject.members):
        raise _refusal(client, "subject", "its may_act names another actor")
    if value is None and client.may_impersonate:
        return {}
    act = acting(actor, subject.members)
    if act is None:
        raise _refusal(client, "subject", "it has passed through too many actors")
    return {"act": act}


def _actor(client: Client, value: str, cnf: Confirmation) -> dict[str, str]:
    """Return the identity in an actor token, which must be the client's own: one that it received is no proof."""
    token = _active(value)
    if token is None or token.client_id != client.pk:
        raise _refusal(client, "actor", "inactive, not an access token, or not issued to this client")
    if "cnf" in token.members and not _proves(cnf, token):
        raise _refusal(client, "actor", "bound to a key that the request does not prove")
    if "act" in token.members:
        raise _refusal(client, "actor", "its subject does not act itself")
    return _identity(client, token.user)


def _identity(client: Client, user: Any) -> dict[str, str]:
    """Return the claims that name an actor, as its own tokens name it."""
    subject = client_subject(client.client_id) if user is None else user_subject(user, client.client_id)
    issuer = introspection_settings.ISSUER
    return {"sub": subject} if issuer is None else {"sub": subject, "iss": issuer}


def _active(value: str) -> Token | None:
    token = find(value)
    if token is None or token.kind != TokenKind.ACCESS or token.inactive_reason(now()):
        return None
    return token


def _proves(cnf: Confirmation, token: Token) -> bool:
    """Return whether a request has proven every key that a token is bound to."""
    bound: Mapping[str, Any] = token.members["cnf"]
    return bool(bound) and all(name in cnf and cnf[name] == value for name, value in bound.items())


def _is_still_live(subject: Token) -> bool:
    """Return whether the subject token was not revoked meanwhile, and keep it so until the new token is there.

    A write that changes nothing locks the row: a revocation waits, and then finds the new token. On SQLite the first
    statement of its transaction, as in a refresh.
    """
    live = Token.objects.on_primary().filter(pk=subject.pk, revoked_at=None)
    return live.update(revoked_at=F("revoked_at")) == 1


def _refusal(client: Client, name: str, reason: str) -> InvalidRequest:
    logger.info("token exchange refused client=%s: %s token: %s", client.client_id, name, reason)
    return InvalidRequest(f"The {name} token is not valid.", detail=reason)
