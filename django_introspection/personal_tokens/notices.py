"""Notices to people before a token of theirs expires, one for each threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import router
from django.db.models import Q, QuerySet
from django.utils import translation

from ..conf import introspection_settings
from ..e_mails import address_of, rendered
from ..hooks import call_hook
from ..models.fields import now
from ..setting_values import NAME
from ..signals import personal_token_expires_soon
from ..user_models import is_active_user
from .models import PersonalToken

BATCH = 500
"""Rows of one statement."""
SUBJECT = "introspection/personal_tokens/expires_subject.txt"
MESSAGE = "introspection/personal_tokens/expires_message.txt"
"""The templates; they get `row`, `days`, `expires_at` and `issuer`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A live token that expires within a threshold of some days, of which its owner was not notified yet."""

    row: PersonalToken
    days: int


def due(thresholds: tuple[int, ...]) -> Iterator[Notice]:
    """Yield the notices that are due, in the order in which the tokens were made; a rotated token has none.

    A token has the notice of the lowest threshold that it has reached.
    """
    if not thresholds:
        return
    at = now()
    rows = _expiring(at, timedelta(days=max(thresholds)))
    page = list(rows[:BATCH])
    while page:
        for row in page:
            days = min(days for days in thresholds if row.expires_at <= at + timedelta(days=days))
            if is_active_user(row.user) and (row.noticed_days is None or row.noticed_days > days):
                yield Notice(row, days)
        page = list(rows.filter(pk__gt=page[-1].pk)[:BATCH])


def send(notice: Notice) -> bool:
    """Notify the owner of a token that it expires soon, and return whether this call did so.

    The notice is claimed first, so that of several processes one sends it. The owner gets an e-mail, if an address is
    known, and the signal is sent. If the e-mail fails, its error is raised, and the notice stays due.
    """
    row, days = notice.row, notice.days
    same = PersonalToken.objects.using(router.db_for_write(PersonalToken)).filter(pk=row.pk)
    if not same.filter(Q(noticed_days=None) | Q(noticed_days__gt=days)).update(noticed_days=days):
        return False
    try:
        if address := address_of(row.user):
            subject, text = _text(notice)
            EmailMessage(subject, text, to=[address]).send()
    except Exception:  # each backend of e-mails has errors of its own
        same.filter(noticed_days=days).update(noticed_days=row.noticed_days)
        raise
    personal_token_expires_soon.send_robust(PersonalToken, personal_token=row, days=days)
    return True


def _expiring(at: datetime, within: timedelta) -> QuerySet[PersonalToken]:
    rows = PersonalToken.objects.using(router.db_for_write(PersonalToken)).select_related("token", "user")
    soon = rows.filter(expires_at__gt=at, expires_at__lte=at + within, rotated_at=None)
    return soon.filter(token__revoked_at=None, token__expires_at__gt=at).order_by("pk")


def _text(notice: Notice) -> tuple[str, str]:
    """Return the subject and the text of a message, in the language of the user if it is known."""
    row = notice.row
    with translation.override(_language(row.user) or settings.LANGUAGE_CODE):
        context = {
            "row": row,
            "days": notice.days,
            "expires_at": row.token.expires_at,
            "issuer": introspection_settings.ISSUER,
        }
        return rendered(SUBJECT, MESSAGE, context)


def _language(user: Any) -> str | None:
    function = introspection_settings.PERSONAL_TOKENS.language
    if function is None:
        return None
    found: str | None = call_hook(f"{NAME}['PERSONAL_TOKENS']['LANGUAGE']", function, user, read=_code)
    return found


def _code(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("it must return a language code or None")
    return value if value and translation.check_for_language(value) else None
