"""The log `django_introspection.security`: a receiver of the signals and nothing more."""

from __future__ import annotations

import logging
from typing import Any

from . import signals
from .protocol.answer import Answer

logger = logging.getLogger("django_introspection.security")


def connect() -> None:
    """Connect the log to the signals; calling it again changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, dispatch_uid=receiver.__qualname__)


def _token_issued(token: Any, client: Any, **_: Any) -> None:
    logger.info("token issued token=%s kind=%s client=%s", token.pk, token.kind, client.client_id)


def _token_introspected(answer: Answer, caller: Any, **_: Any) -> None:
    if answer:
        logger.debug("token introspected token=%s caller=%s active", answer.info.jti, caller.client_id)
    else:
        logger.info("token introspected caller=%s inactive: %s", caller.client_id, answer.reason)


def _token_revoked(tokens: list[Any], client: Any, who: str = "", **_: Any) -> None:
    by = client.client_id if client else ascii(who) if who else "the operator"
    logger.info("tokens revoked tokens=%s by=%s", ",".join(map(str, tokens)), by)


def _token_debugged(operator: Any, token: Any, alias: str, caller: str | None, outcome: str, **_: Any) -> None:
    line = "token debugged operator=%a token=%s backend=%s caller=%a: %s"
    logger.info(line, operator.get_username(), token, alias, caller, outcome)


def _refresh_token_reused(grant_id: Any, client: Any, **_: Any) -> None:
    logger.warning("refresh token reused grant=%s client=%s", grant_id, client.client_id)


def _personal_token_created(personal_token: Any, instead_of: Any, by: str, **_: Any) -> None:
    line = "personal token created token=%s user=%s instead of=%s by=%a"
    old = None if instead_of is None else instead_of.token_id
    logger.info(line, personal_token.token_id, personal_token.user_id, old, by)


def _personal_token_expires_soon(personal_token: Any, days: int, **_: Any) -> None:
    line = "personal token expires soon token=%s user=%s days=%d"
    logger.info(line, personal_token.token_id, personal_token.user_id, days)


def _client_authentication_failed(client_id: str, reason: str, remote_address: str, **_: Any) -> None:
    logger.warning("client authentication failed client=%a address=%s: %s", client_id[:255], remote_address, reason)


def _token_leaked(kind: str, token: Any, client: Any, source: str, url: str, **_: Any) -> None:
    logger.warning(
        "credential leaked kind=%s token=%s client=%s source=%s url=%a", kind, token, client.client_id, source, url
    )


def _token_scanning_suspected(caller: Any, count: int, **_: Any) -> None:
    logger.warning("token scanning suspected caller=%s inactive answers=%d", caller.client_id, count)


_RECEIVERS = (
    (signals.token_issued, _token_issued),
    (signals.token_introspected, _token_introspected),
    (signals.token_revoked, _token_revoked),
    (signals.token_debugged, _token_debugged),
    (signals.personal_token_created, _personal_token_created),
    (signals.personal_token_expires_soon, _personal_token_expires_soon),
    (signals.client_authentication_failed, _client_authentication_failed),
    (signals.refresh_token_reused, _refresh_token_reused),
    (signals.token_leaked, _token_leaked),
    (signals.token_scanning_suspected, _token_scanning_suspected),
)
