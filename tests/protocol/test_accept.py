from __future__ import annotations

import pytest

from django_introspection.protocol.accept import preferred, quality

JSON, HTML = "application/json", "text/html"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", 0),
        (JSON, 1),
        ("APPLICATION/JSON", 1),
        ("application/json;q=0.25", 0.25),
        ("application/json; charset=utf-8 ; Q=0.25", 0.25),
        ("application/*;q=0.5", 0.5),
        ("*/*;q=0.5", 0.5),
        ("text/*", 0),
        ("*/json", 0),
        ("*/*, application/*;q=0.2, application/json;q=0", 0),
        ("application/json;q=0, application/*;q=0.2, */*", 0),
        ("application/json;q=0.1, application/json;q=0.2", 0.2),
        *(
            (f"application/json;q={wrong}", 0)
            for wrong in ("1.1", "2", "-1", "0.1234", "1.5", "nan", "1e0", "", "\u0660")
        ),
        (",, ;q=1, application/json", 1),
    ],
)
def test_the_most_exact_range_decides_and_a_malformed_element_counts_for_nothing(accept: str, expected: float) -> None:
    assert quality(accept, JSON) == expected


def test_the_first_media_type_is_preferred_unless_the_client_says_otherwise() -> None:
    assert preferred("", JSON, HTML) == preferred("*/*", JSON, HTML) == preferred("image/png", JSON, HTML) == JSON
    assert preferred("text/html, application/json;q=0.9", JSON, HTML) == HTML
