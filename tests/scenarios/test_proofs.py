"""A view or a token endpoint that takes proofs (RFC 9449), and the proof of a row; joserfc makes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
import time_machine

from tests import endpoints, factories, jose
from tests.scenarios.tables import Row, filled, played
from tests.scenarios.views import REQUEST, VIEW, ask, outcome_of
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db
INPUTS = (
    VIEW
    | REQUEST
    | {
        *("claims", "without", "header", "without_header", "alg", "key", "signer", "broken", "cut"),
        *("dpop", "bound_to", "token", "nonce", "again", "endpoint"),
    }
)
TOKEN_ENDPOINT = f"{ISSUER}/oauth/token"


@played("proofs")
def test_a_proof_is_judged_as_its_row_says(row: Row, settings: Any) -> None:
    nonces = dict.fromkeys(("DPOP_NONCE", "ENDPOINTS_DPOP_NONCE"), "nonce" in row.given)
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **nonces}
    client = factories.RegistrationFactory()
    with time_machine.travel(int(time.time()), tick=False):
        given = {"schemes": ["DPoP"], "authorization": "DPoP {token}", **filled(row.given)}
        token = given.get("token") or _bound_token(given.get("bound_to", "one"), given.get("alg", "ES256"))
        proof = _proof(given, token)
        outcome, facts = _send(given, token, proof, client)
        if given.get("nonce") == "sent":
            proof = _proof(given, token, nonce=facts["headers"]["DPoP-Nonce"])
            outcome, facts = _send(given, token, proof, client)
        if given.get("again"):
            assert outcome == "200", "the first use of the proof failed"
            outcome, facts = _send(given, token, proof, client)
    row.check(outcome, **facts, nonce="DPoP-Nonce" in facts["headers"])


def _bound_token(name: str, alg: str) -> str:
    """Issue a token for the audience of the view, which is bound to a key unless the name of the key is empty."""
    members = {"cnf": {"jkt": jose.thumbprint(alg, name)}} if name else {}
    token: str = factories.TokenFactory(members=members).access_token
    return token


def _proof(given: Mapping[str, Any], token: str, **changes: Any) -> str:
    """Make a proof with the changes of a row; `signer` is the name of another key that signs."""
    alg, name = given.get("alg", "ES256"), given.get("key", "one")
    header = {**given.get("header", {}), **dict.fromkeys(given.get("without_header", ()))}
    if header.get("jwk") == "private":
        header["jwk"] = jose.private(alg, name)
    method, uri = ("POST", TOKEN_ENDPOINT) if given.get("endpoint") else (given.get("method", "GET"), AUDIENCE)
    claims = {"htm": method, **given.get("claims", {}), **changes, **dict.fromkeys(given.get("without", ()))}
    signer = jose.key(alg, given.get("signer", name))
    proof = jose.proof(token, uri, alg=alg, name=name, signer=signer, header=header, **claims)
    proof = proof[:-8] + "AAAAAAAA" if given.get("broken") else proof
    return ".".join(proof.split(".")[: given["cut"]]) if "cut" in given else proof


def _send(given: Mapping[str, Any], token: str, proof: str, client: Any) -> tuple[str, dict[str, Any]]:
    """Send the request with the header of the proof in the spelling of `dpop`; an empty one is no header."""
    dpop = given.get("dpop", "{proof}").replace("{proof}", proof)
    headers = {"DPoP": dpop} if dpop else {}
    if not given.get("endpoint"):
        return ask({**given, "headers": headers}, token)
    form = {"grant_type": "client_credentials"}
    response = endpoints.post("/oauth/token", form, auth=client, headers=headers)
    return outcome_of(response), {**response.json(), "headers": dict(response.items())}
