from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.errors import InvalidRequest
from django_introspection.protocol.form import FORM_TYPE, Form, parse_form
from tests.properties.outcomes import outcome
from tests.properties.strategies import UNICODE, form_bodies


@given(form_bodies())
def test_any_body_is_a_form_or_an_invalid_request(body: bytes) -> None:
    result = outcome(lambda: parse_form(FORM_TYPE, body, repeatable=["resource"]), InvalidRequest)

    assert isinstance(result, Form) or result.status == 400


@given(st.text(), st.binary(min_size=1, max_size=20))
def test_any_content_type_is_a_form_or_an_invalid_request(content_type: str, body: bytes) -> None:
    result = outcome(lambda: parse_form(content_type, body), InvalidRequest)

    assert isinstance(result, Form) or result.status in (400, 415)


@given(st.dictionaries(UNICODE, UNICODE, max_size=20))
def test_what_a_client_encodes_is_what_we_read(values: dict[str, str]) -> None:
    form = parse_form(FORM_TYPE, urlencode(values).encode())

    for name, value in values.items():
        assert form.get(name) == (value or None)


@given(st.lists(UNICODE, max_size=20))
def test_what_a_client_repeats_is_read_in_its_order(resources: list[str]) -> None:
    body = urlencode({"resource": resources}, doseq=True).encode()

    form = parse_form(FORM_TYPE, body, repeatable=["resource"])

    assert form.all("resource") == [resource for resource in resources if resource]
