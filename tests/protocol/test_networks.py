"""The networks from which a token may be sent."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.networks import may_send_from, read_networks


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (["192.0.2.0/24"], "192.0.2.9", True),
        (["192.0.2.0/24"], "192.0.3.9", False),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "192.0.2.7", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
    ],
)
def test_an_address_must_be_in_one_of_the_networks(networks: Any, address: str, allowed: bool) -> None:
    assert may_send_from({"allowed_networks": networks}, address) is allowed


@pytest.mark.parametrize("address", [None, "", "unix:", "testserver", "192.0.2.9:80"])
def test_an_address_that_is_not_known_is_in_no_network(address: str | None) -> None:
    assert not may_send_from({"allowed_networks": ["0.0.0.0/0", "::/0"]}, address)
    assert may_send_from({}, address)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", [], {}, "192.0.2.0/24", 7, True, [7], [["192.0.2.0/24"]], [None], {"192.0.2.0/24": 1}),
        *(["192.0.2.1/24"], ["localhost"], ["192.0.2.0/24", "x"], [""], ["192.0.2.0/33"]),
        ["192.0.2.1"] * 51,
    ],
)
def test_a_malformed_member_allows_no_address(value: Any) -> None:
    assert read_networks(value) is None
    assert not may_send_from({"allowed_networks": value}, "192.0.2.1")


def test_a_token_may_have_fifty_networks() -> None:
    assert len(read_networks(["192.0.2.1"] * 50) or ()) == 50
