"""JSON from outside: what is nested to the limit is read, and one level more is not."""

from __future__ import annotations

import pytest

from django_introspection.protocol.strict_json import parse_json_array, parse_json_object


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b'{"a":[', b"]}")])
def test_32_levels_are_read_and_one_more_is_refused(opening: bytes, closing: bytes) -> None:
    levels = opening.count(b"{") + opening.count(b"[")
    deepest = opening * (32 // levels) + b"1" + closing * (32 // levels)
    assert parse_json_object(deepest)

    with pytest.raises(ValueError, match="cannot be passed on"):
        parse_json_object(b'{"b":' + deepest + b"}")


def test_many_values_beside_each_other_are_not_deep() -> None:
    assert len(parse_json_array(b"[" + b",".join([b"[{}]"] * 100) + b"]")) == 100
