"""Ending leaked credentials: the one place that decides what ends with each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import router
from django.db.models import Q

from ..authorization_server.ending import LEAK
from ..authorization_server.kept_callers import kept_callers
from ..authorization_server.revoking import revoke_grants
from ..backends.database import stored_digest
from ..models import Client, ClientSecret, Token, TokenKind
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable, database_failure
from ..protocol.opaque import CLIENT_SECRET, digest, kind_of
from ..signals import token_leaked
from .alerts import Alert

REPORT, ALERT = "report", "alert"
"""The sources of a leak."""
SECRET = "client_secret"
BATCH = 500
"""Values of one statement."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A credential that was valid until it was reported; `kind` is `access`, `refresh` or `client_secret`."""

    kind: str
    client: Client
    url: str = ""
    token: UUID | None = None
    grant_id: UUID | None = None
    user: Any = None
    hint: str = ""


@dataclass(slots=True)
class Found:
    """The values that this server issued, those of them that were valid, and why caches do not know of it yet."""

    values: set[str] = field(default_factory=set, repr=False)
    leaks: list[Leak] = field(default_factory=list)
    failure: IntrospectionUnavailable | None = None


def end_leaked(alerts: Iterable[Alert], *, source: str) -> Found:
    """End the credentials that some alerts name, and send the signal `token_leaked` for each that was valid.

    - With a token its whole grant ends, the refresh token included: both are usually kept in the same place. The report
      of an access token that has expired ends nothing, and that of a refresh token that was used already ends its
      grant, like its second use (RFC 9700 §4.14.2).
    - A client secret expires at once. The other secrets of the client, and its tokens, stay valid.

    A value in another form than a generated one, such as a provisioned secret, is not looked for. If the database or
    the cache of REVOCATIONS does not answer, the result has the failure, and what has ended until then.
    """
    found, remaining = Found(), iter(alerts)
    try:
        while batch := list(islice(remaining, BATCH)):
            secrets = [alert for alert in batch if kind_of(alert.value) == CLIENT_SECRET]
            _end_secrets({digest(alert.value): alert for alert in secrets}, found)
            _end_tokens(dict(_tokens(batch)), found)
    except DatabaseError as error:
        found.failure = database_failure(error)
    finally:
        for leak in found.leaks:
            token_leaked.send_robust(
                Token,
                kind=leak.kind,
                token=leak.token,
                grant_id=leak.grant_id,
                client=leak.client,
                user=leak.user,
                source=source,
                url=leak.url,
            )
    return found


def _tokens(alerts: Sequence[Alert]) -> Iterator[tuple[bytes, Alert]]:
    for alert in alerts:
        if (found := stored_digest(alert.value)) is not None:
            yield found, alert


def _end_secrets(alerts: dict[bytes, Alert], found: Found) -> None:
    using, at = router.db_for_write(ClientSecret), now()
    secrets = ClientSecret.objects.using(using).filter(digest__in=alerts).select_related("client")
    for secret in secrets:
        alert = alerts[secret.digest]
        found.values.add(alert.value)
        live = ClientSecret.objects.using(using).filter(Q(expires_at=None) | Q(expires_at__gt=at), pk=secret.pk)
        if live.update(expires_at=at):
            kept_callers.forget_after_change(using)
            found.leaks.append(Leak(SECRET, secret.client, alert.url, hint=secret.hint))


def _end_tokens(alerts: dict[bytes, Alert], found: Found) -> None:
    rows = Token.objects.on_primary().filter(digest__in=alerts).select_related("client", "user")
    tokens = {token: alerts[token.digest] for token in rows}
    found.values.update(alert.value for alert in tokens.values())
    ending = {token: alert for token, alert in tokens.items() if _ends_grant(token)}
    if not ending:
        return
    grants = {token.grant_id for token in ending}
    live = Token.objects.on_primary().filter(grant_id__in=grants, revoked_at=None, expires_at__gt=now())
    were_live = set(live.values_list("grant_id", flat=True))
    try:
        revoke_grants(grants, by=None, who=LEAK)
    except IntrospectionUnavailable as failure:
        found.failure = failure
    found.leaks += [
        Leak(token.kind, token.client, alert.url, token.pk, token.grant_id, token.user)
        for token, alert in ending.items()
        if token.grant_id in were_live
    ]


def _ends_grant(token: Token) -> bool:
    """Return whether the grant of a token ends, again if its tombstones could not be written the first time."""
    is_spent = token.kind == TokenKind.ACCESS and token.revoked_at is not None and token.revoked_by != LEAK
    return token.expires_at > now() and not is_spent
