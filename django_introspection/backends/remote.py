"""Tokens of any authorization server that has an introspection endpoint (RFC 7662)."""

from __future__ import annotations

import base64
from functools import cached_property
from urllib.parse import quote_plus

from django.core.checks import CheckMessage
from django.views.decorators.debug import sensitive_variables

from ..check_messages import warning
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.identifiers import endpoint_problem
from ..protocol.introspection import build_request, parse_response
from ..protocol.opaque import may_be_token
from .base import Options, TokenBackend
from .transport import Reply, Transport

_DEFAULT_RETRY_AFTER = 5
_MAX_RETRY_AFTER = 300
_MAX_DIGITS = 9


class RemoteBackend(TokenBackend):
    """Ask an authorization server over HTTP, with this resource server's own credentials."""

    def configure(self, options: Options) -> None:
        """Take `introspection_url`, `client_id`, `client_secret` and what has a default."""
        self.introspection_url = options.required("introspection_url")
        if problem := endpoint_problem(self.introspection_url, insecure_http=options.flag("insecure_http", False)):
            raise options.invalid("introspection_url", problem)
        self.issuer = options.string("issuer")
        self.requires_token_type = options.flag("require_token_type", True)
        self._auth_method = options.choice("auth_method", ["client_secret_basic", "client_secret_post"])
        self._client_id = options.required("client_id")
        self._client_secret = options.required("client_secret")
        self._verify = options.flag_or_string("verify", True)
        try:
            self._transport = Transport(timeout=options.seconds("timeout", 5), verify=self._verify)
        except (OSError, ValueError) as error:
            raise options.invalid("verify", "it cannot be read as a file of certificates") from error

    @sensitive_variables("token")
    def introspect(self, token: str) -> Answer:
        """Ask the server; raises IntrospectionUnavailable within the timeout."""
        if not may_be_token(token):
            return Inactive(Reason.MALFORMED)
        return read_reply(self._transport.post(self.introspection_url, self._form(token), self._headers))

    @sensitive_variables("token")
    async def aintrospect(self, token: str) -> Answer:
        """Ask like `introspect`, on the running event loop."""
        if not may_be_token(token):
            return Inactive(Reason.MALFORMED)
        reply = await self._transport.apost(self.introspection_url, self._form(token), self._headers)
        return read_reply(reply)

    def check(self) -> list[CheckMessage]:
        """Warn of a server whose certificate is not verified (RFC 7662 §4)."""
        if self._verify is not False:
            return []
        where = f"{self.place}['verify']"
        return [warning("W001", f"{where}: anyone on the way can answer for the server")]

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _form(self, token: str) -> dict[str, str]:
        form = build_request(token)
        if self._auth_method == "client_secret_post":
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        return form

    @cached_property
    def _headers(self) -> dict[str, str]:
        if self._auth_method == "client_secret_post":
            return {}
        halves = f"{quote_plus(self._client_id)}:{quote_plus(self._client_secret)}"  # RFC 6749 §2.3.1
        return {"Authorization": f"Basic {base64.b64encode(halves.encode()).decode()}"}


def read_reply(reply: Reply) -> Answer:
    """Return the answer in a reply; raises IntrospectionUnavailable for all that is none."""
    if reply.status in (429, 503):
        raise IntrospectionUnavailable(
            f"the authorization server is busy: {reply.status}", retry_after=_retry_after(reply)
        )
    if reply.status in (400, 401, 403):
        raise IntrospectionUnavailable(f"the authorization server refuses this resource server: {reply.status}")
    if reply.status != 200:
        raise IntrospectionUnavailable(f"the authorization server answers {reply.status}")
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise InvalidResponse("the response is encoded although identity was asked")
    return parse_response(reply.headers.get("content-type", ""), reply.body)


def _retry_after(reply: Reply) -> int:
    """Pass the server's own wish on (RFC 9110 §10.2.3); a date or nonsense counts as none."""
    seconds = reply.headers.get("retry-after", "")
    if not (seconds.isascii() and seconds.isdecimal()):
        return _DEFAULT_RETRY_AFTER
    if len(seconds) > _MAX_DIGITS:  # int() refuses thousands of digits
        return _MAX_RETRY_AFTER
    return min(max(int(seconds), 1), _MAX_RETRY_AFTER)
