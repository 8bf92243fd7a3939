"""The e-mails about leaked credentials, made of templates that a project may replace."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, mail_admins
from django.utils import translation

from ..conf import introspection_settings
from ..e_mails import address_of, rendered
from ..user_models import is_active_user
from .ending import Leak

logger = logging.getLogger("django_introspection")

SUBJECT, MESSAGE = "introspection/leaks/subject.txt", "introspection/leaks/message.txt"
"""The templates; they get `leaks`, `issuer` and `for_admins`."""


def send_notices(leaks: Sequence[Leak]) -> None:
    """Send one message to each user whose tokens were leaked, and one about everything to ADMINS, as LEAKS says.

    A failure is logged, and the other messages are sent: the credentials have ended, and the signal was sent.
    """
    mail = introspection_settings.LEAKS.mail
    with translation.override(settings.LANGUAGE_CODE):
        if "user" in mail:
            for user, own in _by_user(leaks).items():
                _try(partial(_tell_user, user, own))
        if "admins" in mail:
            _try(partial(_tell_admins, leaks))


def _try(send: Callable[[], None]) -> None:
    try:
        send()
    except Exception as error:  # noqa: BLE001 - each backend of e-mails has errors of its own
        logger.error("a message about leaked credentials was not sent: %s", type(error).__name__)


def _by_user(leaks: Iterable[Leak]) -> dict[Any, list[Leak]]:
    by_user: dict[Any, list[Leak]] = {}
    for leak in leaks:
        if leak.user is not None and is_active_user(leak.user):
            by_user.setdefault(leak.user, []).append(leak)
    return by_user


def _tell_user(user: Any, leaks: Sequence[Leak]) -> None:
    if address := address_of(user):
        subject, text = _render(leaks, for_admins=False)
        EmailMessage(subject, text, to=[address]).send()


def _tell_admins(leaks: Sequence[Leak]) -> None:
    subject, text = _render(leaks, for_admins=True)
    mail_admins(subject, text)


def _render(leaks: Sequence[Leak], *, for_admins: bool) -> tuple[str, str]:
    context = {"leaks": leaks, "issuer": introspection_settings.ISSUER, "for_admins": for_admins}
    return rendered(SUBJECT, MESSAGE, context)
