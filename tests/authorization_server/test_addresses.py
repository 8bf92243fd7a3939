"""Whose address a request has: ours to decide, never the client's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from django_introspection.addresses import client_address, is_from_proxy, sender_address
from django_introspection.conf import introspection_settings
from django_introspection.exceptions import InvalidSetting
from tests import endpoints

PROXY = "10.0.0.1"


def address(forwarded: str | None, *, remote: str = PROXY) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().post("/", REMOTE_ADDR=remote, headers=headers))


@pytest.fixture
def trusted(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"TRUSTED_PROXIES": ["10.0.0.0/8", "fd00::/8"]}


@pytest.mark.requirement("9700-4.13-a")
@pytest.mark.parametrize("values", [{}, {"TRUSTED_PROXIES": None}, {"TRUSTED_PROXIES": []}])
@pytest.mark.parametrize("num_proxies", [None, 1])
def test_without_a_trusted_proxy_the_header_is_ignored(settings: Any, values: Any, num_proxies: int | None) -> None:
    settings.TOKEN_INTROSPECTION = values
    settings.REST_FRAMEWORK = {"NUM_PROXIES": num_proxies}

    assert address("192.0.2.1") == PROXY


@pytest.mark.requirement("9700-4.13-a")
def test_the_header_of_whoever_is_no_trusted_proxy_is_ignored(trusted: None) -> None:
    assert address("192.0.2.1", remote="198.51.100.7") == "198.51.100.7"


@pytest.mark.requirement("9700-4.13-a")
@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (None, PROXY),
        ("", PROXY),
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.9,192.0.2.1 ,  10.2.3.4", "192.0.2.1"),
        ("10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711, fd00::2", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, ::ffff:10.0.0.9", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_client_is_what_the_last_trusted_proxy_saw(trusted: None, forwarded: str | None, expected: str) -> None:
    assert address(forwarded) == expected


@pytest.mark.requirement("9700-4.13-a")
@pytest.mark.parametrize(
    "garbage",
    [
        "unknown",
        "_hidden",
        "",
        "192.0.2",
        "192.0.2.1:x",
        "[192.0.2.1",
        "2001:db8::1]:1",
        "1",
        "a" * 9999,
        "\x85",
        "٣.3.3.3",
    ],
)
def test_garbage_ends_the_walk_at_the_last_good_address(trusted: None, garbage: str) -> None:
    assert address(f"192.0.2.1, {garbage}, 10.2.3.4") == "10.2.3.4"
    assert address(garbage) == PROXY


def test_a_trusted_proxy_may_use_ipv6_or_a_mapped_ipv4_address(trusted: None) -> None:
    assert address("192.0.2.1", remote="fd00::1") == "192.0.2.1"
    assert address("192.0.2.1", remote="::ffff:10.0.0.1") == "192.0.2.1"


def test_a_unix_socket_has_no_address(trusted: None) -> None:
    assert address("192.0.2.1", remote="") == ""


@pytest.mark.requirement("9700-4.13-a")
@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (None, ""),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1, 10.2.3.4", "192.0.2.1"),
        ("192.0.2.1, unix:", "192.0.2.1"),
    ],
)
@pytest.mark.parametrize("remote", ["", "unix:", None], ids=["gunicorn", "nginx", "uvicorn"])
def test_a_proxy_behind_a_unix_socket_is_trusted_if_the_settings_say_so(
    settings: Any, remote: str | None, forwarded: str | None, expected: str
) -> None:
    settings.TOKEN_INTROSPECTION = {"TRUSTED_PROXIES": ["unix", "10.0.0.0/8"]}
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory().post("/", headers=headers)
    request.META.update(REMOTE_ADDR=remote) if remote is not None else request.META.pop("REMOTE_ADDR")

    assert client_address(request) == expected


@pytest.mark.parametrize(
    ("remote", "is_trusted"), [("", True), ("unix:", True), ("10.0.0.1", True), ("192.0.2.1", False), ("a name", False)]
)
def test_the_headers_of_a_peer_without_an_address_count_only_if_it_is_a_socket(
    settings: Any, remote: str, is_trusted: bool
) -> None:
    settings.TOKEN_INTROSPECTION = {"TRUSTED_PROXIES": ["unix", "10.0.0.0/8"]}

    assert is_from_proxy(RequestFactory().get("/", REMOTE_ADDR=remote)) is is_trusted


def test_a_trusted_unix_socket_makes_no_address_trusted(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"TRUSTED_PROXIES": ["unix"]}

    assert address("192.0.2.1", remote="198.51.100.7") == "198.51.100.7"
    assert address("203.0.113.9, 192.0.2.1", remote="") == "192.0.2.1"


@pytest.mark.parametrize(
    "networks", ["10.0.0.0/8", 7, {"10.0.0.0/8": 1}, [7], ["proxy.example"], ["10.0.0.1/8"], ["10.0.0.0/99"], [""]]
)
def test_what_is_no_list_of_networks_is_an_invalid_setting(settings: Any, networks: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"TRUSTED_PROXIES": networks}

    with pytest.raises(InvalidSetting, match="TRUSTED_PROXIES") as caught:
        _ = introspection_settings.TRUSTED_PROXIES
    assert "10.0.0" not in str(caught.value)


@pytest.mark.parametrize(("proxies", "expected"), [(["127.0.0.1"], "192.0.2.1"), ([], "127.0.0.1")])
def test_the_signal_of_a_failed_authentication_has_that_address(
    settings: Any,
    db: None,
    heard: Any,
    proxies: list[str],
    expected: str,
) -> None:
    settings.TOKEN_INTROSPECTION = {"TRUSTED_PROXIES": proxies}

    endpoints.introspect("x", auth="Basic !!", headers={"X-Forwarded-For": "192.0.2.1"})

    assert heard[-1][1]["remote_address"] == expected


@pytest.mark.parametrize(
    ("headers", "remote", "expected"),
    [
        ({}, "192.0.2.1", "192.0.2.1"),
        ({}, "::ffff:192.0.2.1", "192.0.2.1"),
        ({"X-Forwarded-For": "192.0.2.1"}, PROXY, "192.0.2.1"),
        ({"X-Forwarded-For": "10.9.9.9, 192.0.2.1, 10.0.0.2"}, PROXY, "192.0.2.1"),
        ({"X-Forwarded-For": "10.9.9.9"}, PROXY, None),
        ({}, PROXY, None),
        ({"X-Forwarded-For": ""}, PROXY, None),
        ({"X-Forwarded-For": "192.0.2.1, unknown"}, PROXY, None),
        ({"X-Forwarded-For": "192.0.2.1"}, "198.51.100.7", None),
        ({"Forwarded": "for=192.0.2.1"}, "198.51.100.7", None),
        ({}, "", None),
        ({}, "testclient", None),
    ],
)
def test_the_sender_is_unknown_unless_each_proxy_names_the_one_before_it(
    trusted: None, headers: dict[str, str], remote: str, expected: str | None
) -> None:
    assert sender_address(RequestFactory().post("/", REMOTE_ADDR=remote, headers=headers)) == expected
