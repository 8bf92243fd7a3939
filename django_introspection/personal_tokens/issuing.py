"""Making, rotating and revoking personal tokens. Pages, API and commands call these functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from ..authorization_server import issuing, revoking
from ..authorization_server.jwt_access_tokens import should_be_jwt
from ..conf import introspection_settings
from ..models import Client, Token
from ..models.fields import now, uuid7
from ..models.locking import keep
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import names_any_of
from ..protocol.networks import MAX_NETWORKS, MEMBER, read_networks
from ..protocol.scope import format_scope
from ..signals import personal_token_created
from .bounds import UNBOUND, Bounds
from .client import personal_client
from .models import PersonalToken
from .rights import allowed_scopes

ENDED = _("This token has ended already. Nothing was changed.")
NOT_ROTATED = _("This token has ended or was replaced before. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class IssuedPersonalToken:
    """A new token: its value, which is stored nowhere, and its row.

    `is_old_revoked_everywhere` is False if a rotation ended the old token while the cache of REVOCATIONS did not
    answer: some services may accept the old token a little longer.
    """

    value: str = field(repr=False)
    row: PersonalToken
    is_old_revoked_everywhere: bool = True


@dataclass(slots=True)
class _Rotation:
    """The end of an old token, in the transaction that makes the new one."""

    old: PersonalToken
    grace: timedelta
    by: str
    is_old_revoked_everywhere: bool = True

    def lock(self, using: str) -> None:
        """Lock the old token: by its key alone, because MariaDB would lock an entry of another index before the row."""
        Token.objects.using(using).filter(pk=self.old.token_id).update(expires_at=F("expires_at"))

    def claim(self, using: str) -> None:
        """Let one rotation win, of a token that is live: a second one and a revocation find that out here."""
        at, old = now(), self.old
        token = Token.objects.using(using).filter(pk=old.token_id, revoked_at=None, expires_at__gt=at)
        ends: Any = min(old.token.expires_at, at + self.grace) if self.grace else F("expires_at")
        row = PersonalToken.objects.using(using).filter(pk=old.pk, rotated_at=None)
        if not token.update(expires_at=ends) or not row.update(rotated_at=at, expires_at=ends):
            raise ValidationError(NOT_ROTATED, code="ended")

    def end_old(self) -> None:
        """Revoke the old token if it has no grace."""
        if not self.grace:
            try:
                revoking.revoke_token(self.old.token, by=None, who=self.by)
            except IntrospectionUnavailable:  # revoked all the same; the new value must not get lost
                self.is_old_revoked_everywhere = False


@conceal_locals
def issue(
    user: Any,
    *,
    name: str,
    description: str = "",
    scope: Iterable[str] = (),
    networks: Iterable[str] = (),
    lifetime: timedelta | None = None,
    cnf: Mapping[str, Any] | None = None,
    by: str = "",
    bounds: Bounds = UNBOUND,
    token_id: UUID | None = None,
) -> IssuedPersonalToken:
    """Issue a personal token for a user.

    `scope` are scope tokens, `networks` addresses and networks in CIDR notation (none: everywhere), `lifetime` is by
    default DEFAULT_LIFETIME, `cnf` names the keys that the token is bound to (RFC 7800 §3.1), `by` says in words who
    makes the token. `bounds` are those of the token that authenticates the request. `token_id` is for those who may
    ask twice: the second time raises IntegrityError, and nothing is issued.

    Raises ValidationError for a scope that the user may not give, a lifetime above MAX_LIFETIME, more than MAX_TOKENS
    live tokens, malformed networks, and a token that exceeds the bounds. Raises IntrospectionUnavailable if the
    rights of the user cannot be found out.
    """
    row = PersonalToken(token_id=token_id or uuid7(), user=user, name=name, description=description)
    scopes, chosen = _scopes(user, scope, bounds), _networks(networks, bounds)
    row.networks = chosen
    lifetime = _lifetime(lifetime, bounds)
    row.expires_at = now() + lifetime
    row.full_clean(exclude=["token", "user"], validate_unique=False)
    return _issue(row, lifetime, scopes, _audience(bounds), bounds.cnf or cnf, by=by)


@conceal_locals
def rotate(
    old: PersonalToken, *, grace: timedelta = timedelta(0), by: str = "", bounds: Bounds = UNBOUND
) -> IssuedPersonalToken:
    """Give a live personal token a new value, with the same name, scope, audience, networks, key and lifetime.

    The old value ends at once, or after `grace`. Scope tokens that the owner lost are left out. Raises ValidationError
    for a token that has ended or was rotated before, for one that exceeds the bounds, and with a grace for more than
    MAX_TOKENS that were rotated and are live; IntrospectionUnavailable if the rights of the user cannot be found out.
    """
    token, rotation = old.token, _Rotation(old, grace, by)
    if not old.is_live(now()) or old.rotated_at is not None:
        raise ValidationError(NOT_ROTATED, code="ended")
    held = token.scope.split()
    scopes = [name for name in held if name in allowed_scopes(old.user, held)]
    row = PersonalToken(token_id=uuid7(), user=old.user, name=old.name, description=old.description)
    row.networks = _networks(old.networks, bounds)
    longest = timedelta(seconds=introspection_settings.PERSONAL_TOKENS.max_lifetime)
    lifetime = _lifetime(min(token.expires_at - token.issued_at, longest), bounds)
    row.expires_at = now() + lifetime
    _require_within(scopes, bounds)
    audience, cnf = _audience(bounds, held=token.audience), bounds.cnf or token.members.get("cnf")
    return _issue(row, lifetime, scopes, audience, cnf, by=by, rotation=rotation)


def revoke(row: PersonalToken, *, by: str) -> int:
    """Revoke a personal token, and return how many tokens ended; `by` says in words who did.

    Raises IntrospectionUnavailable if the cache of REVOCATIONS does not answer; the token is revoked all the same.
    """
    return revoking.revoke_token(row.token, by=None, who=by)


def _issue(
    row: PersonalToken,
    lifetime: timedelta,
    scopes: Iterable[str],
    audience: list[str],
    cnf: Mapping[str, Any] | None,
    *,
    by: str,
    rotation: _Rotation | None = None,
) -> IssuedPersonalToken:
    client = personal_client()
    if should_be_jwt(client, audience):
        raise ValidationError(_("Personal tokens cannot be JWTs, because a JWT would keep rights that a person loses."))
    issued = issuing.issue(
        client=client,
        user=row.user,
        scope=format_scope(scopes),
        audience=audience,
        lifetime=lifetime,
        members={**issuing.bound_to(dict(cnf or {})), **({MEMBER: row.networks} if row.networks else {})},
        token_id=row.token_id,
        beside=_beside(row, client, rotation),
    )
    row.token = issued.token
    old = rotation.old if rotation else None
    personal_token_created.send_robust(PersonalToken, personal_token=row, instead_of=old, by=by)
    return IssuedPersonalToken(issued.access_token, row, rotation is None or rotation.is_old_revoked_everywhere)


@contextmanager
def _beside(row: PersonalToken, client: Client, rotation: _Rotation | None) -> Iterator[None]:
    """Store the row in the transaction of its token, one token of a user at a time, and end the old one there.

    Client and user are locked before the old token, as in their deletion, so that neither waits for the other for ever.
    """
    using = router.db_for_write(PersonalToken)
    keep(client, using=using)
    _lock(row.user, using)
    _require_room(row.user, rotation)
    if rotation:
        rotation.lock(using)
        rotation.claim(using)
    yield
    row.save(force_insert=True, using=using)
    if rotation:
        rotation.end_old()


def _require_room(user: Any, rotation: _Rotation | None) -> None:
    """Count the live tokens, and apart from them those that were rotated and are in their grace."""
    if rotation and not rotation.grace:
        return
    live = PersonalToken.objects.live(user).filter(rotated_at__isnull=rotation is None).count()
    if live >= introspection_settings.PERSONAL_TOKENS.max_tokens:
        raise ValidationError(_("You have as many tokens as you may have. Revoke one that you do not need."))


def _lock(user: Any, using: str) -> None:
    """Let other requests of this user wait; a write that changes nothing, because SQLite refuses a read before it."""
    key = user._meta.pk.name
    if not user._meta.concrete_model._base_manager.using(using).filter(pk=user.pk).update(**{key: F(key)}):
        raise ValidationError(_("This user does not exist any more."))


def _scopes(user: Any, scope: Iterable[str], bounds: Bounds) -> list[str]:
    wanted = list(dict.fromkeys(scope))
    allowed = allowed_scopes(user, wanted)
    if refused := [name for name in wanted if name not in allowed]:
        text = _("You may not give these rights: %(scopes)s.")
        raise ValidationError({"scope": ValidationError(text, params={"scopes": ", ".join(refused)})})
    _require_within(wanted, bounds)
    return wanted


def _require_within(scopes: Iterable[str], bounds: Bounds) -> None:
    if bounds.scopes is not None and (more := [name for name in scopes if name not in bounds.scopes]):
        text = _("The token of this request does not have these rights: %(scopes)s.")
        raise ValidationError({"scope": ValidationError(text, params={"scopes": ", ".join(more)})})


def _networks(networks: Iterable[str], bounds: Bounds) -> list[str]:
    """Return the networks of a new token in normal form; those of the bounds if none are wanted."""
    wanted = list(networks) or list(bounds.networks or ())
    if not wanted:
        return []
    read = read_networks(wanted)
    if read is None:
        text = _("Enter at most %(most)s IP addresses or networks, such as 192.0.2.0/24.")
        raise ValidationError({"networks": ValidationError(text, params={"most": MAX_NETWORKS})})
    if not bounds.hold(read):
        raise ValidationError({"networks": _("The token of this request may not be sent from all of these networks.")})
    return list(dict.fromkeys(map(str, read)))


def _lifetime(lifetime: timedelta | None, bounds: Bounds) -> timedelta:
    """Return how long a new token lives; it expires before the token that makes it."""
    limits = introspection_settings.PERSONAL_TOKENS
    wanted = timedelta(seconds=limits.default_lifetime) if lifetime is None else lifetime
    if not timedelta(seconds=1) <= wanted <= timedelta(seconds=limits.max_lifetime):
        text = _("A token lives at least one second, and at most %(days)s days.")
        raise ValidationError({"lifetime": ValidationError(text, params={"days": limits.max_lifetime // 86400})})
    return wanted if bounds.expires_at is None else min(wanted, bounds.expires_at - now() - timedelta(seconds=1))


def _audience(bounds: Bounds, held: Iterable[str] = ()) -> list[str]:
    """Return the services of a new token: no more than those of the token that it replaces, and of the bounds."""
    audience = list(introspection_settings.PERSONAL_TOKENS.audience)
    if held := list(held):
        audience = _common(audience, held) if audience else held
        if not audience:
            raise ValidationError(_("This token is for none of the services of personal tokens now. Make a new one."))
    if bounds.audience is None:
        return audience
    if not audience:
        return list(bounds.audience)
    common = _common(audience, bounds.audience)
    if not common:
        raise ValidationError(_("The token of this request is for none of the services of personal tokens."))
    return common


def _common(audience: Iterable[str], others: Collection[str]) -> list[str]:
    """Return the resource identifiers of an audience that others have too, in whatever spelling."""
    return [name for name in audience if names_any_of(others, [name])]
