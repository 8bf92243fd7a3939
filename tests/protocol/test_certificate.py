"""Certificates in the headers of proxies (RFC 9440, RFC 8705 appendix A)."""

from __future__ import annotations

import base64
import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.certificate import (
    FORMS,
    MAX_HEADER,
    Certificate,
    MalformedCertificate,
    is_thumbprint,
    read_header,
    read_pem,
    thumbprint_of,
)
from tests import certificates

EXAMPLE = """-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
"""
"""The certificate of RFC 8705 appendix A."""
DER = read_pem(EXAMPLE)
BASE64 = base64.b64encode(DER).decode()
ENVOY = f'Hash=468ed3;Cert="{quote(EXAMPLE, safe="")}";Subject="CN=mtls;x,y=\\"z\\"";URI='


@pytest.mark.requirement("8705-3.1-a")
def test_the_thumbprint_of_the_certificate_in_the_rfc_is_the_one_in_the_rfc() -> None:
    assert thumbprint_of(DER) == "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
    assert is_thumbprint(thumbprint_of(DER))


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("rfc9440", f":{BASE64}:"),
        ("rfc9440", f" :{BASE64}: "),
        ("pem", quote(EXAMPLE, safe="")),
        ("pem", EXAMPLE.strip().replace("\n", " ")),
        ("pem", EXAMPLE.strip().replace("\n", "\n\t")),
        ("pem", EXAMPLE),
        ("base64", BASE64),
        ("base64", quote(BASE64, safe="")),
        ("envoy", ENVOY),
        ("envoy", f'By=spiffe://a;cert="{quote(EXAMPLE)}"'),
    ],
)
def test_a_certificate_is_read_in_the_form_of_each_proxy(form: str, value: str) -> None:
    assert read_header(form, value) == DER


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_of_another_library_is_read_in_each_form(form: str) -> None:
    made = certificates.make()

    assert read_header(form, made.header(form)) == made.der
    assert Certificate(made.der, is_validated=True).thumbprint == made.thumbprint


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("separator", [",", ", ", " ", ";", "\n"])
def test_a_header_that_was_sent_twice_is_refused(form: str, separator: str) -> None:
    value = certificates.make().header(form)

    for twice in (f"{value}{separator}{value}", f"{value}{separator}", f"{separator.strip()}x{separator}{value}"):
        if twice.strip() != value:
            with pytest.raises(MalformedCertificate):
                read_header(form, twice)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("rfc9440", BASE64),
        ("rfc9440", f'"{BASE64}"'),
        ("rfc9440", f":{BASE64}:;a=1"),
        ("rfc9440", "::"),
        ("pem", BASE64),
        ("pem", EXAMPLE.replace("BEGIN", "END")),
        ("pem", "-----BEGIN CERTIFICATE-----"),
        ("base64", f"{BASE64[:-4]}"),
        ("base64", f"{BASE64}AAAA"),
        ("base64", base64.b64encode(DER + b"\0").decode()),
        ("base64", base64.b64encode(b"0").decode()),
        ("base64", base64.b64encode(b"\x31\x00").decode()),
        ("base64", "é"),
        ("base64", f":{BASE64}:"),
        ("envoy", "Hash=468ed3"),
        ("envoy", f"{ENVOY},{ENVOY}"),
        ("envoy", f'{ENVOY};Cert="x"'),
        ("envoy", 'Cert="x'),
        ("envoy", ""),
    ],
)
def test_anything_else_is_no_certificate(form: str, value: str) -> None:
    with pytest.raises(MalformedCertificate) as refusal:
        read_header(form, value)
    assert BASE64[:20] not in str(refusal.value)


def test_the_length_of_a_header_is_limited() -> None:
    with pytest.raises(MalformedCertificate):
        read_header("base64", "A" * (MAX_HEADER + 1))


def test_a_short_sequence_is_one_too() -> None:
    assert read_header("base64", base64.b64encode(b"\x30\x01\x05").decode()) == b"\x30\x01\x05"


@given(form=st.sampled_from(list(FORMS)), value=st.text() | st.text(alphabet=':;,"=\\ CertabA/+%0-'))
def test_no_text_breaks_a_reader(form: str, value: str) -> None:
    with contextlib.suppress(MalformedCertificate):
        assert read_header(form, value)


@pytest.mark.parametrize("value", ["", "A" * 42, "A" * 44, "=" * 43, None, 7, b"A" * 43])
def test_other_values_are_no_thumbprints(value: object) -> None:
    assert not is_thumbprint(value)


def test_a_certificate_shows_nothing_of_itself() -> None:
    assert "der" not in repr(Certificate(DER, is_validated=True))
