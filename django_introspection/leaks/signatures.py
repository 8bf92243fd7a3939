"""The signature of an alert: ECDSA on P-256 with SHA-256 over the body as it was sent (the extra `jwt`)."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from django.core.signals import setting_changed

from ..outbound.deadline import deadline
from ..outbound.messages import Reply, Request
from ..outbound.renewal import Fetched, Renewable
from ..outbound.steps import Steps, run
from ..outbound.transport import Transport
from ..protocol.errors import InvalidRequest, InvalidResponse
from ..protocol.strict_json import parse_json_document
from ..setting_values import NAME

IDENTIFIER, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"
"""The headers of an alert."""
TIMEOUT = 5
"""Seconds that a fetch of the keys may take altogether."""
FRESH, USABLE_FOR = 24 * 60 * 60, 7 * 24 * 60 * 60
"""Seconds after which the keys are fetched again, and for which they are used while they cannot be fetched."""
RETRY = 60
"""Seconds between two tries to fetch the first keys."""
REPLACE_EVERY = 5 * 60
"""Seconds between two fetches that an unknown key causes: GitHub allows 60 requests an hour without an account."""
MAX_KEYS = 100
MAX_REPLY = 512 * 1024
"""Bytes of the keys that are read."""
_USER_AGENT = {"User-Agent": "django-introspection"}  # the API of GitHub refuses requests without one
_IDENTIFIER = re.compile(r"[0-9A-Za-z_-]{1,128}")
_MAX_SIGNATURE = 128
"""Characters of a signature: those of two numbers of 32 bytes in DER, in base64."""

Keys = Mapping[str, Any]
"""Public keys by their identifier."""


def verify_alert(headers: Mapping[str, str], body: bytes, keys_url: str) -> None:
    """Check the signature of an alert.

    Raises InvalidRequest (status 403) if it is not valid, and IntrospectionUnavailable if the keys cannot be fetched,
    or if the key is unknown and the keys were fetched a moment ago.
    """
    identifier, signature = headers.get(IDENTIFIER, ""), _decode(headers.get(SIGNATURE, ""))
    if not _IDENTIFIER.fullmatch(identifier) or signature is None:
        raise _refusal("The headers of the signature are missing or malformed.")
    with deadline(TIMEOUT):
        keys = run(_kept_keys(keys_url).get(partial(_has, identifier)))
    if identifier not in keys:
        raise _refusal("The key of the signature is unknown.")
    if not _is_signed(keys[identifier], signature, body):
        raise _refusal("The signature is not valid.")


def _refusal(description: str) -> InvalidRequest:
    return InvalidRequest(description, status=403)


def _decode(signature: str) -> bytes | None:
    if not 0 < len(signature) <= _MAX_SIGNATURE:
        return None
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None


def _has(identifier: str, keys: Keys) -> bool:
    return identifier in keys


def _is_signed(key: Any, signature: bytes, body: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, body, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@cache
def _kept_keys(url: str) -> Renewable[Keys]:
    """Return the keys at the URL of the settings, fetched when an alert first needs them."""
    return Renewable("keys of alerts", partial(_fetch, url), retry=RETRY, replace_every=REPLACE_EVERY)


def _fetch(url: str) -> Steps[Fetched[Keys]]:
    """Fetch the keys; no redirects are followed."""
    transport = Transport(verify=True, headers=_USER_AGENT)
    try:
        reply = yield from transport.send(Request.get(url))
    finally:
        transport.close()
    return Fetched(read_keys(reply), FRESH, USABLE_FOR)


def read_keys(reply: Reply) -> Keys:
    """Return the keys for P-256 in a reply, others are left out; raises InvalidResponse."""
    if reply.status != 200:
        raise InvalidResponse(f"{reply.host} answers {reply.status} instead of keys of alerts")
    if reply.is_packed or len(reply.body) > MAX_REPLY:
        raise InvalidResponse("the keys of alerts are encoded or too large")
    try:
        entries = parse_json_document(reply.body).get("public_keys")
    except ValueError as problem:
        raise InvalidResponse(f"the document with the keys of alerts {problem}") from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise InvalidResponse("the document with the keys of alerts has no list of them, or one that is too long")
    keys = {entry["key_identifier"]: key for entry in entries if (key := _read_key(entry)) is not None}
    if not keys:
        raise InvalidResponse("the document with the keys of alerts has no usable key")
    return keys


def _read_key(entry: Any) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not isinstance(entry, dict) or not isinstance(entry.get("key_identifier"), str):
        return None
    try:
        key = load_pem_public_key(str(entry.get("key")).encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        _kept_keys.cache_clear()


setting_changed.connect(_settings_changed)
if hasattr(os, "register_at_fork"):  # a lock of the parent process may be held for ever
    os.register_at_fork(after_in_child=_kept_keys.cache_clear)
