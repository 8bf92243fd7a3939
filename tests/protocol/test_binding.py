"""Which keys a token is bound to, and which ones its sender proved (RFC 7800 §3.1, RFC 9449 §7, RFC 8705 §3)."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.answer import Reason
from django_introspection.protocol.binding import ProvenKeys, binding_refusal
from django_introspection.protocol.token_info import TokenInfo

NONE, KEY, CERT, BOTH = ProvenKeys(), ProvenKeys(jkt="k"), ProvenKeys(x5t="c"), ProvenKeys("k", "c")
BOUND, UNBOUND, OTHER = Reason.BOUND_TO_A_KEY, Reason.NOT_BOUND_TO_A_KEY, Reason.ANOTHER_KEY


@pytest.mark.requirement("9449-7.1-c", "9449-7.2-a", "8705-3-a", "7800-3.1-a")
@pytest.mark.parametrize(
    ("cnf", "none", "key", "certificate", "both"),
    [
        (None, None, UNBOUND, None, UNBOUND),
        ({}, BOUND, UNBOUND, BOUND, UNBOUND),
        ({"jkt": "k"}, BOUND, None, BOUND, None),
        ({"jkt": "x"}, BOUND, OTHER, BOUND, OTHER),
        ({"jkt": None}, BOUND, OTHER, BOUND, OTHER),
        ({"x5t#S256": "c"}, BOUND, UNBOUND, None, UNBOUND),
        ({"x5t#S256": "x"}, BOUND, UNBOUND, OTHER, UNBOUND),
        ({"x5t#S256": None}, BOUND, UNBOUND, OTHER, UNBOUND),
        ({"jkt": "k", "x5t#S256": "c"}, BOUND, OTHER, BOUND, None),
        ({"jkt": "k", "x5t#S256": "x"}, BOUND, OTHER, BOUND, OTHER),
        ({"jkt": "k", "x5t#S256": None}, BOUND, OTHER, BOUND, OTHER),
        ({"x5t#S256": "c", "unknown": 1}, BOUND, UNBOUND, None, UNBOUND),
        ({"x5t#S256": "c", "kid": "1"}, BOUND, UNBOUND, OTHER, UNBOUND),
        ({"jkt": "k", "jwk": {}}, BOUND, OTHER, BOUND, OTHER),
        ({"kid": "1"}, BOUND, UNBOUND, BOUND, UNBOUND),
    ],
    ids=str,
)
def test_every_key_that_a_token_names_is_proven(cnf: Any, none: Any, key: Any, certificate: Any, both: Any) -> None:
    info = TokenInfo({} if cnf is None else {"cnf": cnf})

    assert [binding_refusal(info, keys) for keys in (NONE, KEY, CERT, BOTH)] == [none, key, certificate, both]


def test_a_token_for_proofs_is_none_for_a_certificate() -> None:
    for members in ({"token_type": "DPoP"}, {"token_type": "dpop", "cnf": {"x5t#S256": "c"}}):
        assert binding_refusal(TokenInfo(members), CERT) is BOUND
