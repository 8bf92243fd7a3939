"""An optional app: security events about tokens, received and sent, and the cut-offs that they cause."""

from __future__ import annotations

import time
from datetime import datetime

__all__ = ["cut_off"]


def cut_off(
    issuer: str,
    *,
    subject: str | None = None,
    session: str | None = None,
    client: str | None = None,
    grant: str | None = None,
    token: str | None = None,
    before: datetime | None = None,
) -> None:
    """End every token of an issuer about one subject, session, client, grant or token, issued up to a moment.

    Name exactly one of them, by the value of the claim `sub`, `sid`, `client_id`, `grant_id` or `jti`. `before` is now
    by default, and never counts as later than now and LEEWAY. A token that was issued in its second ends as well. An
    earlier cut-off is never taken back.

    Raises ValueError for other arguments, InvalidSetting without REVOCATIONS, django.db.Error if the cut-off cannot be
    stored, and IntrospectionUnavailable if the cache cannot be written: then the cut-off is stored, and the cache
    follows within seconds after it answers again. If this error rolls back a transaction of yours, nothing is stored.
    """
    from ..cut_offs import Kind
    from .cutting import write_cut_off

    values = {
        Kind.SUBJECT: subject,
        Kind.SESSION: session,
        Kind.CLIENT: client,
        Kind.GRANT: grant,
        Kind.TOKEN: token,
    }
    named = [(kind, value) for kind, value in values.items() if value is not None]
    if len(named) != 1 or not named[0][1]:
        raise ValueError("Name exactly one of subject, session, client, grant and token.")
    write_cut_off(issuer, *named[0], time.time() if before is None else before.timestamp())
