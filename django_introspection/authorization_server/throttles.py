"""Count failed attempts and inactive answers in the cache: verify first, count after.

A correct credential and an active token are never counted, so a healthy resource server never meets a limit. A cache
that is down counts nothing and opens nothing: what is refused stays refused.
"""

from __future__ import annotations

import hashlib
import json
import time

from django.core.cache import BaseCache

from ..cache_calls import CacheCalls, CacheUnavailable
from ..conf import introspection_settings
from ..models import Client
from ..protocol.errors import MissingCredentials, OAuthError, TooManyRequests
from ..signals import token_scanning_suspected

BUCKETS = 4096
"""Counts of failures in a period. Names cost a stranger nothing, and must not push other entries out of the cache."""
_calls = CacheCalls("throttle counts")


def after_failure(refusal: OAuthError, client_id: str, address: str, *, guesses: int = 1) -> OAuthError:
    """Count the guesses of a failed authentication; return the refusal, or 429 beyond the limit (RFC 6749 §2.3.1)."""
    if isinstance(refusal, MissingCredentials):  # nothing was guessed
        return refusal
    if _count(failures_key(client_id, address), guesses) > introspection_settings.THROTTLE.FAILURES:
        return _too_many("Client authentication failed too often.")
    return refusal


def count_inactive(caller: Client) -> None:
    """Count an inactive answer to a caller; raises TooManyRequests beyond the limit, if one is set."""
    throttle = introspection_settings.THROTTLE
    count = _count(f"inactive:{_digest(caller.client_id).hex()}")
    if count == throttle.INACTIVE_SIGNAL:
        token_scanning_suspected.send_robust(Client, caller=caller, count=count)
    if throttle.INACTIVE_LIMIT is not None and count > throttle.INACTIVE_LIMIT:
        raise _too_many("Too many tokens that are not active.")


def count_reports(address: str, reports: int) -> None:
    """Count reports of leaked credentials, valid or not, that were followed; raises TooManyRequests beyond the limit.

    Reports are counted alike, or the limit would show which credentials are known.
    """
    if _count(f"reports:{_bucket(address)}", reports) > introspection_settings.THROTTLE.FAILURES:
        raise _too_many("Too many reports.")


def failures_key(client_id: str, address: str) -> str:
    """Return the name of the count of failures, which a few clients and addresses share."""
    return f"failures:{_bucket(client_id, address)}"


def _bucket(*parts: str) -> int:
    return int.from_bytes(_digest(*parts)) % BUCKETS


def _count(what: str, by: int = 1) -> int:
    """Add to a count of this window and return it; 0 if the cache does not answer.

    The number of the window is part of the key, so that every process agrees on its end.
    """
    throttle = introspection_settings.THROTTLE
    key = f"introspection:throttle:{what}:{int(time.time()) // throttle.PERIOD}"

    def add_or_increment(cache: BaseCache) -> int:
        if cache.add(key, by, timeout=throttle.PERIOD):
            return by
        try:
            return cache.incr(key, by)
        except ValueError:  # it expired or was evicted between the two calls
            return 0

    try:
        return _calls.use(throttle.ALIAS, add_or_increment)
    except CacheUnavailable:
        return 0


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def _too_many(description: str) -> TooManyRequests:
    period = introspection_settings.THROTTLE.PERIOD
    return TooManyRequests(description, retry_after=period - int(time.time()) % period)
