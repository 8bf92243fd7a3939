"""Targets for what arrives as text: credentials, forms, challenges, identifiers and other headers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote_plus, urlencode

from django.http import HttpRequest

from django_introspection.addresses import client_address
from django_introspection.protocol.accept import preferred
from django_introspection.protocol.authorization_details import is_part_of, normal_details, parse_details
from django_introspection.protocol.challenge import challenge
from django_introspection.protocol.credentials import (
    AssertionCredentials,
    CertificateCredentials,
    SecretCredentials,
    TokenCredentials,
    parse_credentials,
)
from django_introspection.protocol.dpop import normal_uri
from django_introspection.protocol.errors import OAuthError
from django_introspection.protocol.form import FORM_TYPE, MAX_FIELDS, parse_form
from django_introspection.protocol.identifiers import (
    endpoint_problem,
    is_client_id,
    is_loopback,
    is_public,
    normal_resource,
    resource_problem,
    split_uri,
)
from django_introspection.protocol.scope import parse_scope
from django_introspection.resource_server.extraction import MalformedRequest, MalformedToken, sent_token
from django_introspection.testing.challenges import parse_challenges
from tests import jose
from tests.properties.outcomes import outcome

from . import world
from .family import family
from .inputs import header, join, split, text


def _credential_seeds() -> Iterator[bytes]:
    form = urlencode({"client_id": "machine", "client_secret": world.PASSWORD})
    assertion = urlencode(jose.asserting(jose.assertion("signing")))
    yield join(world.basic("machine"), "token=a")
    yield join(world.basic("two words", "a+b%2F:c"), "client_id=two+words")
    yield join("Bearer dit_at_abc==", "token=a")
    yield join("DPoP dit_at_abc", "token=a")
    yield join("", form)
    yield join("", assertion)
    yield join("", "client_id=machine", "certificate")


@family(
    "protocol/credentials.py", "protocol/form.py", "protocol/assertion.py", "resource_server/extraction.py",
    seeds=_credential_seeds,
    words="Basic |Bearer |DPoP |client_id=|client_secret=|client_assertion=|&|%|access_token=",
)  # fmt: skip
def credentials(data: bytes) -> None:
    """One method of authentication at most, and nothing that was not sent."""
    authorization, body, certificate = split(data, 3)
    value = header(authorization)
    _check_sent_token(value, body)
    form = outcome(lambda: parse_form(FORM_TYPE, body), OAuthError)
    if isinstance(form, OAuthError):
        return
    found = outcome(lambda: parse_credentials(value, form, has_certificate=bool(certificate)), OAuthError)
    if isinstance(found, OAuthError):
        assert found.status in (400, 401)
        return
    methods = [value, form.get("client_secret"), form.get("client_assertion") or form.get("client_assertion_type")]
    assert sum(map(bool, methods)) <= 1
    match found:
        case SecretCredentials("client_secret_basic"):
            client_id, _, secret = base64.b64decode(value.partition(" ")[2]).partition(b":")
            assert found.client_id == unquote_plus(client_id.decode())
            assert secret.decode() in found.secrets
            assert is_client_id(found.client_id)
        case SecretCredentials():
            assert found.secrets == (form.get("client_secret"),) * 2
            assert found.client_id == form.get("client_id")
        case TokenCredentials():
            assert found.token
            assert value.lower() == f"{found.scheme.lower()} {value.partition(' ')[2].lower()}"
            assert found.token in value
        case AssertionCredentials():
            assert found.jwt.claims["sub"] == found.client_id
        case CertificateCredentials():
            assert certificate
            assert found.client_id == form.get("client_id")


def _check_sent_token(value: str, body: bytes) -> None:
    request = HttpRequest()
    request.method, request.content_type, request._body = "POST", FORM_TYPE, body
    request.META["HTTP_AUTHORIZATION"] = value
    with suppress(MalformedRequest, MalformedToken):
        found = sent_token(request, ("header", "body"), ("Bearer", "DPoP"))
        if found is not None:
            sent = {value.partition(" ")[2].strip(" ")} if value.lower().startswith(("bearer ", "dpop ")) else set()
            if body.isascii():  # any other body is no form with a token (RFC 6750 §2.2)
                sent |= {token for name, token in parse_qsl(body.decode()) if name == "access_token"}
            assert sent == {found.value}


def _form_seeds() -> Iterator[bytes]:
    yield join(FORM_TYPE, b"token=a&resource=b&resource=c&scope=a+b")
    yield join(f'{FORM_TYPE}; charset="UTF-8"', "token=%C3%A9&empty=&=x")
    yield join("multipart/form-data; boundary=x", "--x")


@family(
    "protocol/form.py",
    seeds=_form_seeds,
    words="&|=|%C3|%ff|+|;|charset=utf-8|resource=",
)  # fmt: skip
def forms(data: bytes) -> None:
    """The parameters are those of another reader, and only a named one may come twice."""
    content_type, body = split(data, 2)
    form = outcome(lambda: parse_form(text(content_type), body, repeatable=["resource"]), OAuthError)
    if isinstance(form, OAuthError):
        assert form.status in (400, 413, 415)
        return
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    assert len(pairs) <= MAX_FIELDS
    for name, _ in pairs:
        values = [value for other, value in pairs if other == name]
        assert name == "resource" or len(values) == 1
        assert form.all(name) == [value for value in values if value]
        assert "\N{REPLACEMENT CHARACTER}" not in name or b"%EF%BF%BD" in body.upper() or b"\xef\xbf\xbd" in body
    assert form.get("a name that was not sent") is None


def _challenge_seeds() -> Iterator[bytes]:
    yield join('Bearer realm="oauth", error="invalid_token", error_description="It has expired."', "realm", "text")
    yield join('Basic realm="oauth", Bearer realm="o\\"auth", scope="a b"', "a", "b")
    yield join("Negotiate YQ==, DPoP algs=ES256", "", "\N{LATIN SMALL LETTER E WITH ACUTE}")


@family(
    "testing/challenges.py", "protocol/challenge.py", "protocol/errors.py",
    seeds=_challenge_seeds,
    words='Bearer |realm="|", |\\|=|, |scope=|error=',
)  # fmt: skip
def challenges(data: bytes) -> None:
    """Text from outside stays inside of its quotes, and a strict reader finds what was written."""
    value, realm, description = split(data, 3)
    read = outcome(lambda: parse_challenges(text(value)), ValueError)
    assert isinstance(read, ValueError) or all(each.scheme for each in read)
    written = challenge("Bearer", realm=text(realm) or "oauth", error_description=text(description))
    (only,) = parse_challenges(written)
    assert only.scheme == "Bearer"
    assert only.parameters.keys() == {"realm", *(["error_description"] if description else [])}


def _identifier_seeds() -> Iterator[bytes]:
    for uri in ("https://API.example.com:443/", "http://127.0.0.1:8000/x", "https://[::1]/a?b", "urn:example:orders"):
        yield join(uri, "203.0.113.7, [2001:db8::1]:80, 10.0.0.1", "application/json;q=0.5, */*", "orders:read a")
    yield join("https://a@b/../%2e%2e/c#d", "unix:, ::ffff:10.0.0.9", "a/b;q=1.000", "")
    yield join("http://[64:ff9b::a00:1]/", "64:ff9b::a00:1, fe80::1%eth0", "*/*;q=0", 'a"b')


@family(
    "protocol/identifiers.py", "protocol/accept.py", "protocol/scope.py", "addresses.py",
    seeds=_identifier_seeds,
    words="https://|http://|localhost|127.0.0.1|[::1]|:443|@|?|#|%2e|..|::ffff:|q=",
)  # fmt: skip
def identifiers(data: bytes) -> None:
    """URIs, addresses, media types and scopes: one spelling each, and no secret goes to a place that is not safe."""
    uri, forwarded, accept, scope = (text(part) for part in split(data, 4))
    parts = split_uri(uri)
    if endpoint_problem(uri) is None:
        assert parts is not None
        assert parts.scheme == "https" or is_loopback(parts.hostname or "")
        assert "@" not in parts.netloc
    once = normal_resource(uri)
    assert normal_resource(once) == once
    if resource_problem(uri) is None:
        assert uri.isascii()
        assert "#" not in uri
    normal = normal_uri(uri)
    assert normal is None or "?" not in normal.partition("//")[0]
    if is_public(uri):
        assert ip_address(uri).is_global
    _check_address(forwarded)
    assert preferred(accept, "application/json", "text/html") in ("application/json", "text/html")
    tokens = outcome(lambda: parse_scope(scope), ValueError)
    if not isinstance(tokens, ValueError):
        assert set(tokens) == set(filter(None, scope.split(" ")))


def _check_address(forwarded: str) -> None:
    """The address is the proxy's own or one that the header names; from a stranger the header counts for nothing."""
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": "203.0.113.1", "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(request) == "203.0.113.1"
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    ip_address(client_address(request) or "::")


def _detail_seeds() -> Iterator[bytes]:
    full = '[{"type":"payment","actions":["read","write"],"locations":["https://a.example/x"],"amount":{"n":1}}]'
    yield join(full, '[{"type":"payment","actions":["read"],"locations":["https://a.example/x"],"amount":{"n":1}}]')
    yield join('[{"type":"a"},{"type":"b","identifier":"c"}]', '[{"type":"a","privileges":["p"]}]')


@family(
    "protocol/authorization_details.py", "protocol/strict_json.py",
    seeds=_detail_seeds,
    words='{"type":"|"actions":[|"locations":|[|]|{|}|\\ud800|1e999|true',
)  # fmt: skip
def details(data: bytes) -> None:
    """Authorization details: what is read is written back alike, and a part never asks for more."""
    granted, requested = (outcome(lambda part=part: parse_details(text(part)), ValueError) for part in split(data, 2))
    for read in (granted, requested):
        if not isinstance(read, ValueError):
            assert normal_details(read) == read
            assert all(is_part_of(each, each) for each in read)
    if isinstance(granted, ValueError) or isinstance(requested, ValueError):
        return
    if is_part_of(requested[0], granted[0]):
        assert requested[0].keys() == granted[0].keys()
        for name in {"actions", "locations", "datatypes", "privileges"} & requested[0].keys():
            assert set(requested[0][name]) <= set(granted[0][name])
