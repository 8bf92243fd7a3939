from __future__ import annotations

import pytest

from django_introspection.protocol.challenge import BASIC, BEARER, challenge


@pytest.mark.requirement("6750-3-b", "7617-2-a")
def test_a_challenge_is_never_bare() -> None:
    assert BASIC == 'Basic realm="oauth"'
    assert BEARER == 'Bearer realm="oauth"'


@pytest.mark.requirement("6750-3-c")
def test_each_parameter_comes_once_and_in_the_order_given() -> None:
    assert (
        challenge("Bearer", realm="orders", error="insufficient_scope", scope="orders:read orders:write")
        == 'Bearer realm="orders", error="insufficient_scope", scope="orders:read orders:write"'
    )


@pytest.mark.parametrize("value", [None, ""])
def test_a_parameter_without_a_value_is_left_out(value: str | None) -> None:
    assert challenge("Bearer", error=value) == BEARER


@pytest.mark.requirement("6750-3-d")
@pytest.mark.parametrize("hostile", ['a"b', "a\\b", "a\r\nSet-Cookie: b", "a\x00b", "a\x7fb", "aéb"])
def test_no_text_ends_the_quotes_or_the_line(hostile: str) -> None:
    header = challenge("Bearer", error_description=hostile)

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 4
    assert "\\" not in header
