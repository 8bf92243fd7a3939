from __future__ import annotations

import traceback

import pytest

from django_introspection.protocol.errors import InvalidRequest
from django_introspection.protocol.form import FORM_TYPE, MAX_BODY, MAX_FIELDS, Form, parse_form


def parse(body: bytes, content_type: str = FORM_TYPE, **kwargs: list[str]) -> Form:
    return parse_form(content_type, body, **kwargs)


def refused(body: bytes, content_type: str = FORM_TYPE, **kwargs: list[str]) -> int:
    with pytest.raises(InvalidRequest) as refusal:
        parse(body, content_type, **kwargs)
    return refusal.value.status


@pytest.mark.requirement("6749-4.4.2-b")
def test_parameters_are_read_as_a_form_in_utf_8() -> None:
    form = parse("token=a%2Bb&name=caf%C3%A9+é".encode())

    assert form.get("token") == "a+b"
    assert form.get("name") == "café é"


@pytest.mark.parametrize(
    "content_type",
    [
        FORM_TYPE,
        "Application/X-WWW-Form-Urlencoded",
        f"{FORM_TYPE};",
        f"{FORM_TYPE}; charset=UTF-8",
        f'{FORM_TYPE};charset="utf-8"',
        f"{FORM_TYPE} ; charset=utf8",
    ],
)
def test_the_media_type_is_read_without_case_and_may_say_utf_8(content_type: str) -> None:
    assert parse(b"token=a", content_type).get("token") == "a"


@pytest.mark.requirement("6749-4.4.2-b")
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "", f"{FORM_TYPE}; charset=latin-1"],
)
def test_any_other_media_type_is_415_and_never_silently_empty(content_type: str) -> None:
    assert refused(b"token=a", content_type) == 415


@pytest.mark.parametrize("content_type", ["", "application/json"])
def test_without_a_body_there_are_no_parameters_whatever_the_type(content_type: str) -> None:
    assert parse(b"", content_type).get("token") is None


@pytest.mark.requirement("6749-3.2-b")
@pytest.mark.parametrize("body", [b"", b"token=", b"token", b"other=a"])
def test_a_parameter_without_a_value_counts_as_left_out(body: bytes) -> None:
    form = parse(body)

    assert form.get("token") is None
    assert form.all("token") == []
    with pytest.raises(InvalidRequest) as refusal:
        form.require("token")
    assert refusal.value.description == "The parameter token is missing."


def test_a_required_parameter_that_is_there_is_returned() -> None:
    assert parse(b"token=a").require("token") == "a"


@pytest.mark.requirement("7662-2.1-e", "6749-3.2-d")
@pytest.mark.parametrize("body", [b"token=a&token=b", b"token=a&token=a", b"token=a&token=", b"x=1&x=2&token=a"])
def test_a_repeated_parameter_is_refused(body: bytes) -> None:
    assert refused(body) == 400


def test_a_parameter_that_may_be_repeated_keeps_every_value() -> None:
    form = parse(b"resource=urn:a&resource=&resource=urn:b", repeatable=["resource"])

    assert form.all("resource") == ["urn:a", "urn:b"]
    assert form.get("resource") == "urn:a"


def test_that_one_parameter_may_be_repeated_excuses_no_other() -> None:
    assert refused(b"resource=a&scope=b&scope=c", repeatable=["resource"]) == 400


@pytest.mark.requirement("6749-4.4.2-b")
@pytest.mark.parametrize("body", [b"token=%FF", b"token=\xff", b"%C3=a", b"token=%ED%A0%80"])
def test_what_is_not_utf_8_is_refused(body: bytes) -> None:
    assert refused(body) == 400


def test_a_body_that_is_too_large_is_413_and_one_at_the_limit_is_read() -> None:
    assert refused(b"t=" + b"a" * (MAX_BODY - 1)) == 413
    assert len(parse(b"t=" + b"a" * (MAX_BODY - 2)).require("t")) == MAX_BODY - 2


def test_a_body_with_too_many_parameters_is_refused() -> None:
    body = "&".join(f"p{number}=a" for number in range(MAX_FIELDS))

    assert parse(body.encode()).get("p99") == "a"
    assert refused(f"{body}&one=more".encode()) == 400


def test_values_are_not_in_the_repr_of_a_form() -> None:
    assert repr(parse(b"token=secret&client_id=a")) == "<Form: client_id, token>"


@pytest.mark.parametrize("body", [b"token=s3cr3t&token=s3cr3t", b"s3cr3t=%FF", b"s3cr3t=1&s3cr3t=2"])
def test_no_refusal_repeats_what_was_sent(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse(body)
    shown = "".join(traceback.format_exception(refusal.value))
    assert "s3cr3t" not in shown + refusal.value.description
