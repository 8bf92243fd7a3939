"""Public keys of others, fetched rarely and kept in the process: of issuers, and of clients by their `jwks_uri`."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core.signals import setting_changed

from ..conf import introspection_settings
from ..jose import VerificationKey, read_key_set
from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.identifiers import endpoint_problem, is_loopback, is_public
from ..protocol.strict_json import parse_json_document
from ..setting_values import NAME
from .deadline import deadline
from .renewal import Fetched, Renewable
from .steps import Steps, run

if TYPE_CHECKING:
    from .messages import Reply

TIMEOUT = 5
"""Seconds that a fetch may take altogether."""
MAX_SET = 512 * 1024
"""Bytes of a key set that are read."""
FRESH = 10 * 60
"""Seconds after which a set is fetched again. A removed key is used for that long while its owner can be reached."""
USABLE_FOR = 4 * 60 * 60
"""Seconds for which the last valid set is used while no new one can be fetched."""
RETRY = 60
"""Seconds between two tries to fetch the first set."""
REPLACE_EVERY = 10
"""Seconds between two fetches that an unknown `kid` causes: a stranger can name one in every token."""
MAX_SETS = 1000
_ENCRYPTION = ("RSA", "ECDH", "A1", "A2", "PBES2", "dir")
"""How the names of algorithms begin that encrypt (RFC 7518 §4.1, §5.1)."""

VerificationKeys = tuple[VerificationKey, ...]


class KeySet:
    """Keep the set of one place; `retry` are the seconds between two tries to fetch the first one."""

    def __init__(self, fetch: Callable[[], Steps[VerificationKeys]], *, retry: float = RETRY) -> None:
        self._fetch = fetch
        self._keys = Renewable("keys", self._fetch_keys, retry=retry, replace_every=REPLACE_EVERY)

    def keys(self, kid: str | None) -> Steps[VerificationKeys]:
        """Return the keys, fetched anew if they do not hold `kid`; raise IntrospectionUnavailable.

        Keys without `kid` are returned only if they were fetched after the caller came. So an unknown key is either
        proven to be unknown, or it could not be found out. A set without any name holds every `kid`.
        """
        return self._keys.get(partial(_holds, kid))

    def _fetch_keys(self) -> Steps[Fetched[VerificationKeys]]:
        return Fetched((yield from self._fetch()), FRESH, USABLE_FOR)


def _holds(kid: str | None, keys: VerificationKeys) -> bool:
    names = {key.kid for key in keys}
    return kid is None or kid in names or names == {None}  # a server may sign with a name and publish none


def read_keys(reply: Reply) -> VerificationKeys:
    """Read the set of keys in a reply; raises InvalidResponse."""
    if reply.status != 200:
        raise InvalidResponse(f"{reply.host} answers {reply.status} instead of keys")
    if reply.is_packed:
        raise InvalidResponse("the set of keys is encoded although identity was asked")
    if len(reply.body) > MAX_SET:
        raise InvalidResponse("the set of keys is too large")
    try:
        return read_key_set(parse_json_document(reply.body))
    except ValueError as problem:  # KeyProblem is one
        raise InvalidResponse(f"the set of keys {problem}") from None


def signing_algorithms(reply: Reply) -> frozenset[str]:
    """Return the algorithms for which a reply has signing keys, also those that `read_keys` leaves out.

    A key that is for several algorithms counts for none, since it does not say by which of them it signs.
    """
    of_one = {name for key in read_keys(reply) if len(key.algorithms) == 1 for name in key.algorithms}
    jwks = [jwk for jwk in parse_json_document(reply.body)["keys"] if isinstance(jwk, dict)]
    return frozenset(of_one.union(jwk["alg"] for jwk in jwks if isinstance(jwk.get("alg"), str) and _signs(jwk)))


def _signs(jwk: dict[str, Any]) -> bool:
    return jwk["use"] == "sig" if "use" in jwk else not jwk["alg"].startswith(_ENCRYPTION)


class RemoteKeySets:
    """Keep the key sets of clients by URL, the least recently used ones forgotten first."""

    def __init__(self) -> None:
        self.forget()

    def keys(self, url: str, *, kid: str | None) -> VerificationKeys:
        """Return the keys at a URL, fetched anew if they do not hold `kid`; raise IntrospectionUnavailable."""
        with deadline(TIMEOUT):
            return run(self._entry(url).keys(kid))

    def forget(self) -> None:
        """Start anew: after a fork a lock may be held by no one."""
        self._lock = Lock()
        self._sets: OrderedDict[str, KeySet] = OrderedDict()

    def _entry(self, url: str) -> KeySet:
        with self._lock:
            kept = self._sets.get(url)
            if kept is None:
                kept = self._sets[url] = KeySet(partial(fetch, url))
            self._sets.move_to_end(url)
            if len(self._sets) > MAX_SETS:
                self._sets.popitem(last=False)
            return kept


def fetch(url: str) -> Steps[VerificationKeys]:
    """Fetch the key set of a client from a public address over https; raises IntrospectionUnavailable.

    A host in JWKS_HOSTS may be anywhere, and on loopback speak plain http. No redirects are followed.
    """
    from .messages import Request
    from .transport import Transport

    host = (urlsplit(url).hostname or "").lower()
    trusted = host in introspection_settings.JWKS_HOSTS
    if endpoint_problem(url) or (is_loopback(host) and not trusted):
        raise IntrospectionUnavailable("the address of the keys is not one that keys are fetched from")
    transport = Transport(verify=True, allows=None if trusted else is_public)
    try:
        reply = yield from transport.send(Request.get(url))
    finally:
        transport.close()
    return read_keys(reply)


remote_key_sets = RemoteKeySets()


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        remote_key_sets.forget()


setting_changed.connect(_settings_changed)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=remote_key_sets.forget)
