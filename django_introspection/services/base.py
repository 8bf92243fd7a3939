"""The parts that every service has: the token endpoint, the connection to it, and the parameters of its requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

from django.core.checks import CheckMessage

from ..backends.alarm import CredentialsAlarm
from ..backends.diagnosis import Finding, Severity
from ..backends.options import Options
from ..backends.remote_diagnosis import reach
from ..backends.remote_options import require_discovery, take_authentication, take_connection
from ..outbound.client_authentication import METHODS
from ..outbound.messages import Parameters
from ..outbound.service_token import TokenEndpoint
from ..outbound.steps import Steps
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable
from ..protocol.identifiers import resource_problem

T = TypeVar("T")

_OUR_PARAMETERS = frozenset(
    {
        *("grant_type", "scope", "audience", "resource", "assertion", "requested_token_type"),
        *("subject_token", "subject_token_type", "actor_token", "actor_token_type"),
        *("client_id", "client_secret", "client_assertion", "client_assertion_type"),
    }
)
MEND = "Compare client_id, auth_method, grant_type, scope, audience and resource with what is registered there."


class Service(ABC):
    """Get tokens for another API. One instance per process and alias, shared by threads and event loops."""

    def __init__(self, alias: str, grant_type: str, options: Options) -> None:
        self.alias, self.grant_type, self.place = alias, grant_type, options.place
        self.timeout = options.seconds("timeout", 5)
        self._connection = take_connection(options, certificate=options.paths("client_certificate"))
        self._alarm = CredentialsAlarm(service=alias)
        self._endpoint = self._take_endpoint(options)
        self.scope = options.string("scope")
        self._parameters = _take_parameters(options)
        self.configure(options)
        options.finish()

    @abstractmethod
    def configure(self, options: Options) -> None:
        """Take the options of this kind of service; raises InvalidSetting. No input or output here."""

    def check(self) -> list[CheckMessage]:
        """Return the messages of `check --deploy`: an unverified certificate, plain http."""
        return self._connection.check(self.place, over_http="tokens and secrets travel in the clear")

    def diagnose(self) -> Iterator[Finding]:
        """Try for real whether the server is reached and issues a token, and yield what is found."""
        reached = reach(self._endpoint.url, self._connection.transport, self.timeout, self._issuer)
        yield reached
        if reached.severity != Severity.ERROR:
            yield self._tried()

    def _tried(self) -> Finding:
        try:
            return self._try()
        except CredentialsRefused as problem:
            return Finding.error(str(problem), MEND)
        except IntrospectionUnavailable as problem:
            return Finding.error(str(problem), "Calls to this API fail until the server answers.")

    @abstractmethod
    def _try(self) -> Finding:
        """Ask the token endpoint once, apart from what is kept; raise IntrospectionUnavailable."""

    def close(self) -> None:
        """Close the connections."""
        self._connection.transport.close()

    def _alarming(self, steps: Steps[T]) -> Steps[T]:
        """Do some steps, and report it to the operator if the server refuses this client."""
        try:
            return (yield from steps)
        except CredentialsRefused as failure:
            self._alarm.ring(failure)
            raise

    def _take_endpoint(self, options: Options) -> TokenEndpoint:
        self._issuer, insecure_http = options.string("issuer"), self._connection.insecure_http
        token_url = options.url("token_url", insecure_http=insecure_http)
        if token_url is None:
            require_discovery(options, self._issuer, "token_url", insecure_http=insecure_http)
        discovery = self._connection.discovery(self._issuer)

        def url() -> Steps[str]:
            return token_url or (yield from discovery.endpoint("token_endpoint"))

        method = options.choice("auth_method", METHODS)
        authentication = take_authentication(options, method, options.string("client_id"), self._issuer)
        return TokenEndpoint(self._connection.transport, url, authentication)


def _take_parameters(options: Options) -> Parameters:
    """Take the parameters that every request has; the scope is apart, since a call can name another one."""
    audience, resources, further = options.names("audience"), options.names("resource"), options.aliases("parameters")
    for resource in resources:
        if problem := resource_problem(resource):
            raise options.invalid("resource", problem)
    if ours := further.keys() & _OUR_PARAMETERS:
        raise options.invalid("parameters", f"must not set {', '.join(map(repr, sorted(ours)))}")
    named = {"audience": audience, "resource": resources}
    return {**{name: values for name, values in named.items() if values}, **further}
