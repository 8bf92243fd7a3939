"""Whether this resource server accepts a token: by its kind, binding, times, issuer, audience and user.

Views, the token debugger and the command `introspection_token inspect` call these functions; a trace shows the last two
how the decision was made.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

from django.http import HttpRequest

from .. import client_certificates
from ..addresses import sender_address
from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..backends.route import Judge, aask_route, ask_route
from ..conf import introspection_settings
from ..proofs import Proof
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.binding import NO_KEYS, ProvenKeys, binding_refusal
from ..protocol.dialects import audiences
from ..protocol.explanation import explain
from ..protocol.identifiers import names_any_of
from ..protocol.networks import MEMBER as NETWORKS
from ..protocol.networks import may_send_from
from ..protocol.token_info import TokenInfo
from ..protocol.validity import invalid_reason, is_in_time
from .users import auser_of, user_of


class Identity(NamedTuple):
    """The user of a request, the meaning of its token, and the backend that vouches for both."""

    user: Any
    info: TokenInfo
    source: TokenBackend

    @property
    def issuer(self) -> str:
        """The issuer that vouches for both."""
        return self.source.identity_issuer


class Verdict(NamedTuple):
    """The answer of one backend about a token, and the decision of this resource server about the answer."""

    alias: str | None
    """The alias of a token backend; None for the user, whom the backend or its resolver names."""
    answer: Answer
    accepted: Answer | Identity

    def __str__(self) -> str:
        asked = "user" if self.alias is None else f"backend {self.alias}"
        return f"{asked}: {self.accepted.reason if isinstance(self.accepted, Inactive) else 'accepted'}"


Trace = list[Verdict]
"""The verdicts in the order in which they were reached: the last one decides."""


def authenticate_token(
    token: str, alias: str, request: HttpRequest, *, proof: Proof | None = None, trace: Trace | None = None
) -> Identity | Inactive:
    """Return the identity of a request by its token, Inactive if the token is rejected.

    `proof` is the DPoP proof that came with the token; it is used up only by a token that is accepted. Each verdict is
    added to `trace`. Raises InvalidProof for a proof that was used before, and IntrospectionUnavailable.
    """
    backend = token_backends[alias]
    answer, source = ask_route(backend, token, _judge(request, proof, trace))
    if not answer:
        return answer
    if proof:
        proof.consume()
    user = user_of(answer, source, request, asked=backend, token=token)
    return _identity(user, answer, source, trace)


async def aauthenticate_token(
    token: str, alias: str, request: HttpRequest, *, proof: Proof | None = None, trace: Trace | None = None
) -> Identity | Inactive:
    """Return like `authenticate_token`, without blocking the event loop."""
    backend = token_backends[alias]
    answer, source = await aask_route(backend, token, _judge(request, proof, trace))
    if not answer:
        return answer
    if proof:
        await proof.aconsume()
    user = await auser_of(answer, source, request, asked=backend, token=token)
    return _identity(user, answer, source, trace)


def validate(token: str, alias: str, *, address: str | None = None) -> Answer:
    """Return the answer about a token of a sender without keys, Inactive if this resource server rejects it.

    `address` is that of the sender. The user is not asked for. Raises IntrospectionUnavailable.
    """
    return ask_route(token_backends[alias], token, partial(accept, sender=address)).answer


async def avalidate(token: str, alias: str, *, address: str | None = None) -> Answer:
    """Return like `validate`, without blocking the event loop."""
    return (await aask_route(token_backends[alias], token, partial(accept, sender=address))).answer


def _judge(request: HttpRequest, proof: Proof | None, trace: Trace | None) -> Judge:
    """Return how to judge an answer for the sender of a request: its address, and the keys that it proved to hold.

    It proves keys by its proof and in the TLS handshake.
    """
    keys = NO_KEYS
    if proof is not None or introspection_settings.CLIENT_CERTIFICATES is not None:
        keys = ProvenKeys(proof.jkt if proof else None, client_certificates.thumbprint(request))
    if trace is not None:
        return partial(_accept_traced, trace, keys=keys, sender=request)
    return partial(accept, keys=keys, sender=request)


def accept(
    answer: Answer, backend: TokenBackend, *, keys: ProvenKeys = NO_KEYS, sender: HttpRequest | str | None = None
) -> Answer:
    """Return the answer of a backend if this resource server accepts the token, Inactive with the reason otherwise.

    `keys` are those that its sender proved to hold. `sender` is the request or the address of the sender; it is read
    only for a token that is limited to some networks.
    """
    if not answer:
        return answer
    now, leeway = time.time(), introspection_settings.LEEWAY
    reason, address = None, None
    if not (keys == NO_KEYS and answer.accepted_by is backend and is_in_time(answer.info, now=now, leeway=leeway)):
        reason = rejection_reason(answer.info, backend, now=now, leeway=leeway, keys=keys)
        if reason is None and keys == NO_KEYS:
            answer.note_accepted(backend)
    if (
        reason is None and NETWORKS in answer.info._members
    ):  # no call for each token without them; judged with each request: another one may have another sender
        address = sender_address(sender) if isinstance(sender, HttpRequest) else sender
        reason = None if may_send_from(answer.info, address) else Reason.OUTSIDE_NETWORKS
    if reason is None:
        return answer
    return explain(
        reason,
        answer.info,
        issuer=backend.issuer,
        audience=backend.audience,
        audience_claim=backend.audience_claim,
        now=now,
        leeway=leeway,
        keys=keys,
        address=address,
    )


def _accept_traced(
    trace: Trace, answer: Answer, backend: TokenBackend, *, keys: ProvenKeys, sender: HttpRequest
) -> Answer:
    accepted = accept(answer, backend, keys=keys, sender=sender)
    trace.append(Verdict(backend.alias, answer, accepted))
    return accepted


def _identity(user: Any, answer: Active, source: TokenBackend, trace: Trace | None) -> Identity | Inactive:
    accepted = user if isinstance(user, Inactive) else Identity(user, answer.info, source)
    if trace is not None:
        trace.append(Verdict(None, answer, accepted))
    return accepted


def rejection_reason(
    info: TokenInfo, backend: TokenBackend, *, now: float, leeway: int, keys: ProvenKeys = NO_KEYS
) -> Reason | None:
    """Return why a token is rejected, None if it is accepted; `now` and `leeway` in seconds (RFC 7662 §4)."""
    is_access_token = info.is_access_token
    if is_access_token is False or (is_access_token is None and backend.is_token_type_required):
        return Reason.NOT_AN_ACCESS_TOKEN
    if reason := binding_refusal(info, keys) or invalid_reason(info, issuer=backend.issuer, now=now, leeway=leeway):
        return reason
    return None if _is_for(backend, info) else Reason.WRONG_AUDIENCE


def _is_for(backend: TokenBackend, info: TokenInfo) -> bool:
    """Return whether a token names the audience of a backend, or may leave it out (RFC 7662 §2.2).

    A claim of another type than a string or a list of strings names an audience, and not this one.
    """
    claim = backend.audience_claim
    if not backend.audience:
        return True
    if info.get(claim, ()) == ():
        return not backend.is_audience_required
    return names_any_of(backend.audience, audiences(info, claim))
