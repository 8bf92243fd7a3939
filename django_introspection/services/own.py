"""The access token of this project's own for another API, by the grant client_credentials (RFC 6749 §4.4)."""

from __future__ import annotations

from ..backends.diagnosis import Finding
from ..backends.options import Options
from ..outbound.deadline import deadline
from ..outbound.service_token import ServiceToken
from ..outbound.steps import Steps, arun, run
from ..protocol.error_reports import conceal_locals
from ..protocol.obtained_token import ObtainedToken
from .base import Service


class OwnTokenService(Service):
    """Keep one token, and renew it before it ends."""

    def configure(self, options: Options) -> None:
        """Take no further options."""
        name = f"token of the service {self.alias!r}"
        self._token = ServiceToken(self._endpoint, self.scope, self._parameters, name=name)

    @conceal_locals
    def get(self, other_than: ObtainedToken | None = None) -> ObtainedToken:
        """Return the token, another one than an API has refused if it is given; raise IntrospectionUnavailable."""
        with deadline(self.timeout):
            return run(self.steps(other_than))

    @conceal_locals
    async def aget(self, other_than: ObtainedToken | None = None) -> ObtainedToken:
        """Return like `get`, on the running event loop."""
        with deadline(self.timeout):
            return await arun(self.steps(other_than))

    def steps(self, other_than: ObtainedToken | None = None) -> Steps[ObtainedToken]:
        """Return the token as part of a longer operation."""
        return (yield from self._alarming(self._token.get(other_than)))

    @conceal_locals
    def _try(self) -> Finding:
        with deadline(self.timeout):
            issued = run(self._token.fetch())
        life = "without expires_in" if issued.lifetime is None else f"for {issued.lifetime:.0f} s"
        return Finding.ok(f"the server issues a token {life}")
