"""Certificates in the headers of proxies (RFC 9440, nginx, Traefik, Envoy), and the names in them."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.certificate import (
    FORMS,
    MalformedCertificate,
    is_thumbprint,
    read_header,
    thumbprint_of,
)
from django_introspection.x509 import SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SUBJECT_DN, is_named, name_problem
from tests import certificates
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, mutations

FORM = st.sampled_from(list(FORMS))
KINDS = st.sampled_from([SUBJECT_DN, SAN_DNS, SAN_URI, SAN_IP, SAN_EMAIL])
CERTIFICATE = certificates.make(dns="shop.example", uri="urn:shop", ip="192.0.2.1", email="shop@example.com")
PARAMETERS = st.lists(
    st.sampled_from(
        ["By=spiffe://a/b", "Hash=ab", 'Subject="CN=a;b,O=\\"c\\""', "URI=urn:a", "DNS=a.example", 'Chain=""']
    )
)


def read(form: str, value: str) -> bytes | MalformedCertificate:
    return outcome(lambda: read_header(form, value), MalformedCertificate)


def sequence(content: bytes) -> bytes:
    """Return some bytes as an ASN.1 sequence, as a certificate is one."""
    length = len(content)
    size = length.to_bytes((length.bit_length() + 7) // 8, "big") if length >= 0x80 else b""
    return bytes([0x30, 0x80 | len(size)]) + size + content if size else bytes([0x30, length]) + content


@given(st.binary(max_size=400).map(sequence))
def test_a_certificate_arrives_in_each_form(der: bytes) -> None:
    encoded = base64.b64encode(der).decode()
    lines = "\n".join(encoded[start : start + 64] for start in range(0, len(encoded), 64))
    pem = f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"

    assert read("rfc9440", f":{encoded}:") == der
    assert read("base64", encoded) == read("base64", quote(encoded, safe="")) == der
    for text in (quote(pem, safe=""), quote(pem), pem.replace("\n", " "), pem.replace("\n", "\t")):
        assert read("pem", text) == der
    assert is_thumbprint(thumbprint_of(der))


@given(PARAMETERS, PARAMETERS)
def test_envoys_element_is_read_whatever_stands_around_the_certificate(before: list[str], after: list[str]) -> None:
    element = ";".join([*before, f'Cert="{quote(CERTIFICATE.pem, safe="")}"', *after])

    assert read("envoy", element) == CERTIFICATE.der
    assert isinstance(read("envoy", f"{element},{element}"), MalformedCertificate)
    assert isinstance(read("envoy", f"{element};Cert=x"), MalformedCertificate)


@given(FORM, ANY_TEXT)
def test_any_text_is_one_sequence_or_malformed(form: str, value: str) -> None:
    der = read(form, value)

    assert isinstance(der, MalformedCertificate) or der[0] == 0x30


@given(FORM, st.data())
def test_a_changed_header_is_one_sequence_or_malformed(form: str, data: Any) -> None:
    changed = data.draw(mutations(CERTIFICATE.header(form)))

    der = read(form, changed)

    if isinstance(der, bytes):
        content = der[4:] if der[1] == 0x82 else der
        assert der in (CERTIFICATE.der, sequence(content)) or form == "envoy"
        assert der[0] == 0x30


@given(FORM, st.sampled_from([",", ", ", "\n", ""]))
def test_two_certificates_are_malformed(form: str, between: str) -> None:
    header = CERTIFICATE.header(form)

    assert isinstance(read(form, f"{header}{between}{header}"), MalformedCertificate)


@given(KINDS, ANY_TEXT)
def test_no_other_name_is_that_of_a_certificate(kind: str, name: str) -> None:
    problem = name_problem(kind, name)

    assert problem is None or not is_named(CERTIFICATE.der, kind, name)
    if is_named(CERTIFICATE.der, kind, name):
        assert name in ("urn:shop", "shop@example.com") or kind in (SAN_DNS, SAN_IP, SUBJECT_DN)


@given(KINDS, st.binary() | st.integers(0, len(CERTIFICATE.der) - 1).map(lambda length: CERTIFICATE.der[:length]))
def test_what_is_no_certificate_has_no_name(kind: str, der: bytes) -> None:
    assert not any(is_named(der, kind, name) for name in ("CN=shop,O=Example", "shop.example", "192.0.2.1", "urn:shop"))


@pytest.mark.parametrize("kind", [SUBJECT_DN, SAN_DNS, SAN_URI, SAN_IP, SAN_EMAIL])
def test_a_certificate_with_another_byte_anywhere_has_a_name_or_none(kind: str) -> None:
    der = CERTIFICATE.der

    for position in range(len(der)):
        for change in (0x01, 0x27, 0x80):
            changed = der[:position] + bytes([der[position] ^ change]) + der[position + 1 :]
            assert not is_named(changed, kind, "192.0.2.99")
