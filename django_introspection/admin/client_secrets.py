"""What is to be said of the secrets of a client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..models import Client, ClientSecret
from .client_filters import SOON


@dataclass(frozen=True, slots=True)
class SecretState:
    """A secret and how it stands at a moment."""

    secret: ClientSecret
    is_live: bool
    expires_soon: bool

    @property
    def notes(self) -> list[Any]:
        """What stands out of it, in a word or two each."""
        notes = [_("live")] if self.is_live else [_("expired")]
        if self.expires_soon:
            notes.append(_("expires soon"))
        if self.secret.last_used_at is None:
            notes.append(_("never used"))
        return notes


def states_of(client: Client, at: datetime) -> list[SecretState]:
    """Return the secrets of a client, the newest first."""
    newest_first = sorted(client.secrets.all(), key=lambda secret: secret.pk, reverse=True)
    return [_state(secret, at) for secret in newest_first]


def _state(secret: ClientSecret, at: datetime) -> SecretState:
    is_live = secret.is_live(at)
    expires_soon = is_live and secret.expires_at is not None and secret.expires_at - at <= SOON
    return SecretState(secret, is_live, expires_soon)


def summary(client: Client, at: datetime) -> Any:
    """Say in a few words how the secrets of a client stand."""
    if not client.has_secrets:
        return _("keys of its own")
    live = [state for state in states_of(client, at) if state.is_live]
    if not live:
        return _("none live")
    count = ngettext("%(count)d live", "%(count)d live", len(live)) % {"count": len(live)}
    if any(state.expires_soon for state in live):
        return _("%(count)s, one expires soon") % {"count": count}
    if all(state.secret.last_used_at is None for state in live):
        return _("%(count)s, never used") % {"count": count}
    return count


def warnings(client: Client, states: list[SecretState]) -> list[Any]:
    """Say what an operator has to see to, and how."""
    live = [state for state in states if state.is_live]
    if not client.has_secrets:
        return [_("It authenticates by keys: its secrets are refused. Retire them.")] if live else []
    if not live:
        return [_("It has no live secret and cannot authenticate: add one.")]
    if all(state.expires_soon for state in live):
        return [_("Its last live secret expires within 30 days: add another now, so that it can change over in time.")]
    if len(live) > 1 and any(state.secret.last_used_at is None for state in live[1:]):
        return [
            _("A live secret was never used although there is a newer one: retire it if nobody is going to use it.")
        ]
    return []


def used_since(secret: ClientSecret, states: list[SecretState]) -> ClientSecret | None:
    """Return the live secret that was used last, where that was after the use of this one; None where there is none."""
    others = [state.secret for state in states if state.is_live and state.secret.pk != secret.pk]
    used = [(other.last_used_at, other) for other in others if other.last_used_at is not None]
    if not used:
        return None
    at, latest = max(used, key=lambda each: each[0])
    return latest if secret.last_used_at is None or at > secret.last_used_at else None
