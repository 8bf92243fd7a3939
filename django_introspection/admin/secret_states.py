"""The state of the secrets of a client, and warnings about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import npgettext, pgettext_lazy

from ..models import Client, ClientSecret
from .client_filters import SOON


@dataclass(frozen=True, slots=True)
class SecretState:
    """A secret and its state at a moment."""

    secret: ClientSecret
    is_live: bool
    expires_soon: bool

    @property
    def notes(self) -> list[Any]:
        """The state in short notes."""
        notes = [pgettext_lazy("secret", "live") if self.is_live else pgettext_lazy("secret", "expired")]
        if self.expires_soon:
            notes.append(pgettext_lazy("secret", "expires soon"))
        if self.secret.last_used_at is None:
            notes.append(pgettext_lazy("secret", "never used"))
        return notes


def states_of(client: Client, at: datetime) -> list[SecretState]:
    """Return the secrets of a client with their states, the newest first."""
    newest_first = sorted(client.secrets.all(), key=lambda secret: secret.pk, reverse=True)
    return [_state(secret, at) for secret in newest_first]


def _state(secret: ClientSecret, at: datetime) -> SecretState:
    is_live = secret.is_live(at)
    expires_soon = is_live and secret.expires_at is not None and secret.expires_at - at <= SOON
    return SecretState(secret, is_live, expires_soon)


def last_used(client: Client) -> datetime | None:
    """Return when a secret of a client was last used, or None if it never was."""
    moments = [secret.last_used_at for secret in client.secrets.all() if secret.last_used_at is not None]
    return max(moments, default=None)


def summary(client: Client, at: datetime) -> Any:
    """Return the state of all secrets of a client in a few words."""
    if not client.has_secrets:
        return _("own keys")
    live = [state for state in states_of(client, at) if state.is_live]
    if not live:
        return pgettext_lazy("secrets", "none live")
    count = len(live)
    if any(state.expires_soon for state in live):
        text = npgettext("secrets", "%(count)d live, expires soon", "%(count)d live, one expires soon", count)
    elif all(state.secret.last_used_at is None for state in live):
        text = npgettext("secrets", "%(count)d live, never used", "%(count)d live, never used", count)
    else:
        text = npgettext("secrets", "%(count)d live", "%(count)d live", count)
    return text % {"count": count}


def warnings(client: Client, states: list[SecretState]) -> list[Any]:
    """Return what an operator should do about the secrets of a client."""
    live = [state for state in states if state.is_live]
    if not client.has_secrets:
        return [_("This client authenticates by keys, and its secrets are refused. Retire them.")] if live else []
    if not live:
        return [_("This client has no live secret and cannot authenticate. Add a secret.")]
    if all(state.expires_soon for state in live):
        return [
            _("The last live secret expires within 30 days. Add another one now, so that the client can change over.")
        ]
    if len(live) > 1 and any(state.secret.last_used_at is None for state in live[1:]):
        return [_("A live secret was never used, although there is a newer one. Retire it if it is not needed.")]
    return []


def used_since(secret: ClientSecret, states: list[SecretState]) -> ClientSecret | None:
    """Return the live secret that was used last, if that was after the last use of this one; otherwise None."""
    others = [state.secret for state in states if state.is_live and state.secret.pk != secret.pk]
    used = [(other.last_used_at, other) for other in others if other.last_used_at is not None]
    if not used:
        return None
    at, latest = max(used, key=lambda each: each[0])
    return latest if secret.last_used_at is None or at > secret.last_used_at else None
