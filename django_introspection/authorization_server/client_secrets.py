"""The secret of a client: found by its digest with one statement, or in this process, and its use noted."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import Error as DatabaseError
from django.db.models import Q
from django.http import HttpRequest

from ..backends.database import LookedUp
from ..conf import introspection_settings
from ..models import ClientSecret
from ..models.fields import now
from ..models.lookups import callers_with_records, secrets_by_client
from ..protocol.credentials import SecretCredentials
from ..protocol.opaque import digest
from .deferred_work import defer_until_sent
from .kept_callers import kept_callers
from .read_along import ReadAlong, offered

logger = logging.getLogger("django_introspection")

LAST_USE_EVERY = timedelta(minutes=1)


def find_secret(request: HttpRequest, credentials: SecretCredentials) -> ClientSecret | None:
    """Return the secret with its client, None if there is none; only for an introspection, the process may keep it."""
    wanted = credentials.client_id, *map(digest, credentials.secrets)
    along = offered(request)
    if along is None:
        return secrets_by_client().get(*wanted)
    if not introspection_settings.CLIENT_LOCAL_MAX_AGE:
        return _with_token(wanted, along)
    name = secrets_by_client().database, *wanted  # another database may be that of another tenant
    found, epoch = kept_callers.get(name), kept_callers.epoch
    if found is None:
        found = _with_token(wanted, along)
        if found is not None and found.client.is_active:
            kept_callers.keep(name, found, epoch)
    return found


def _with_token(wanted: tuple[Any, ...], along: ReadAlong) -> ClientSecret | None:
    if along.digest is None:
        return secrets_by_client().get(*wanted)
    found, token = callers_with_records().get(wanted, [along.digest])
    if found is not None:
        along.found = LookedUp(along.token, along.digest, token)
    return found


def note_use(request: HttpRequest, secret: ClientSecret) -> None:
    """Record the use of a secret after the answer to a request was sent, at most once a minute."""
    at = now()
    if secret.last_used_at is None or secret.last_used_at < at - LAST_USE_EVERY:
        secret.last_used_at = at  # the process may keep it for the next request
        defer_until_sent(request, partial(_record_use, secret))


def _record_use(secret: ClientSecret) -> None:
    """Record the last use, at most once a minute for all processes; a failure never refuses a request."""
    at = now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=at - LAST_USE_EVERY)
    try:
        ClientSecret.objects.filter(stale, pk=secret.pk).update(last_used_at=at)
    except DatabaseError as error:
        logger.warning("last use of a secret not kept: %s", type(error).__name__)
