"""The examples of the specifications, signed as a transmitter would: what each of them ends here.

`examples.json` has every example of a security event token in SSF 1.0, CAEP 1.0 and RISC 1.0, without the reasons.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from django_introspection import cut_offs
from django_introspection.cut_offs import Kind
from django_introspection.security_events.models import CutOff
from tests.security_events.transmitter import Transmitter, push

EXAMPLES = json.loads(Path(__file__).with_name("examples.json").read_text())
TOKEN = ("jti", "f61t6e20zdo3px56gepu8rzlsp4c1dpc0fx7")
SESSION = "dMTlD|1600802906337.16|16008.16"
REFUSED = "the subject cannot be matched with a claim of tokens"
ENDS: list[Any] = [
    [("sub", SESSION), ("sid", SESSION)],  # an opaque subject may be a session or a user
    [("sid", SESSION)],
    [("sub", "jane.smith@example.com")],  # the device cannot be matched, its user can
    [TOKEN],
    [TOKEN],
    REFUSED,  # a SAML assertion
    [],  # a further credential
    *([], [], [], [], [], []),  # events that end nothing
    [],  # verification
    [],  # account-enabled
    REFUSED,  # a phone number
    REFUSED,  # an e-mail address
    REFUSED,  # a user of another issuer than the transmitter
    REFUSED,  # an e-mail address
    REFUSED,  # a format of its own
    *([], []),  # verification, stream-updated
    *([], [], []),  # events that end nothing
    [("sub", "joe.smith@example.com")],
]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_specifications_ends_what_it_names(number: int, transmitter: Transmitter) -> None:
    claims, expected = EXAMPLES[number]["claims"], ENDS[number]
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][1]
    transmitter.stream(issuer=claims["iss"], audience=audience)

    response = push(transmitter.signed(claims))

    if expected is REFUSED:
        assert (response.status_code, response.json()["err"]) == (400, "invalid_request")
        assert not CutOff.objects.exists()
        return
    assert response.status_code == 202
    names = {cut_offs.name_of(claims["iss"], Kind(claim), value) for claim, value in expected}
    assert set(CutOff.objects.values_list("name", flat=True)) == names
    [event] = claims["events"].values()
    moments = set(CutOff.objects.values_list("moment", flat=True))
    assert moments <= {event.get("event_timestamp", claims["iat"])}


def test_there_is_an_expectation_for_each_example() -> None:
    assert len(ENDS) == len(EXAMPLES) == 26
