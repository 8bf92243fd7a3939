"""Replies that the issuer must have signed for this resource server (RFC 9701): imported by `signed_response`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from .. import jose
from ..conf import introspection_settings
from ..exceptions import InvalidBackend
from ..keys import read_decryption_key
from ..outbound.busy import refuse_if_busy
from ..outbound.discovery import Discovery
from ..outbound.jwks import KeySet, VerificationKeys, read_keys
from ..outbound.messages import Reply, Request
from ..outbound.steps import Steps
from ..protocol.answer import Answer
from ..protocol.introspection import MAX_RESPONSE
from ..protocol.jwt import MalformedJWT, UnverifiedJWT, parse_jwt
from ..protocol.signed_answer import MEDIA_TYPE, UnverifiedResponse, read_answer
from .options import Options
from .remote_options import ServerConnection, require_discovery
from .reply import body_of

if TYPE_CHECKING:
    from ..jwe import DecryptionKey

RETRY = 5
"""Seconds between two tries to fetch the first key set."""


class SignedReplies:
    """Read signed replies, and no other reply: what is not signed says nothing about a token.

    `names` are those of this resource server, one of which an answer must have as its audience. An answer may be as old
    as the request, which takes `timeout` seconds at most. With decryption keys it must be encrypted as well.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str,
        names: frozenset[str],
        timeout: float,
        decryption_keys: tuple[DecryptionKey, ...] = (),
    ) -> None:
        self._keys, self._issuer, self._names, self._timeout = keys, issuer, names, timeout
        self._decryption_keys = decryption_keys

    def read(self, reply: Reply) -> Steps[Answer]:
        """Return the answer in a reply; raise IntrospectionUnavailable if there is none, or none that is verified.

        The algorithms of the issuer's keys are asymmetric, whatever the header names (RFC 8725 §3.1).
        """
        jwt = self._jwt_of(reply)
        keys = jose.candidates((yield from self._keys.keys(jwt.kid)), jwt)
        if not any(key.verifies(jwt) for key in keys):
            raise UnverifiedResponse("the signed response is refused: no key of the issuer made its signature")
        return read_answer(
            jwt,
            issuer=self._issuer,
            audience=self._names,
            now=time.time(),
            max_age=self._timeout,
            leeway=introspection_settings.LEEWAY,
        )

    def _jwt_of(self, reply: Reply) -> UnverifiedJWT:
        refuse_if_busy(reply)
        body = body_of(reply)
        if reply.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise UnverifiedResponse(f"the response is not signed: it is not {MEDIA_TYPE}")
        try:
            return parse_jwt(self._decrypted(body.decode("latin-1").strip()), longest=MAX_RESPONSE)
        except MalformedJWT as problem:
            raise UnverifiedResponse(f"the signed response is malformed: {problem}") from None

    def _decrypted(self, value: str) -> str:
        if not self._decryption_keys:
            return value
        from ..jwe import decrypt

        return decrypt(value, self._decryption_keys)


def take_signed_replies(
    options: Options,
    connection: ServerConnection,
    discovery: Discovery,
    *,
    issuer: str | None,
    names: frozenset[str],
    timeout: float,
) -> SignedReplies:
    """Take what verifying needs from the OPTIONS of a backend; raises InvalidBackend."""
    if not jose.is_installed():
        raise InvalidBackend(f"{options.place}['signed_response'] cannot be used: {jose.EXTRA_MISSING}.")
    if issuer is None:
        raise options.invalid("issuer", "is required by signed_response: it is the iss of the responses")
    if not names:
        raise options.invalid("client_id", "is required by signed_response: it is the aud of the responses")
    jwks_uri = options.url("jwks_uri", insecure_http=connection.insecure_http)
    if jwks_uri is None:
        require_discovery(options, issuer, "jwks_uri", insecure_http=connection.insecure_http)

    def fetch() -> Steps[VerificationKeys]:
        url = jwks_uri or (yield from discovery.endpoint("jwks_uri"))
        return read_keys((yield from connection.transport.exchange(partial(Request.get, url))))

    decryption_keys = _take_decryption_keys(options)
    return SignedReplies(
        KeySet(fetch, retry=RETRY), issuer=issuer, names=names, timeout=timeout, decryption_keys=decryption_keys
    )


def _take_decryption_keys(options: Options) -> tuple[DecryptionKey, ...]:
    try:
        return tuple(read_decryption_key(entry) for entry in options.mappings("decryption_keys"))
    except jose.KeyProblem as problem:
        raise options.invalid("decryption_keys", f"cannot be used: {problem}") from None
