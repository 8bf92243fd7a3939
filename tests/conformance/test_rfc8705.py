"""RFC 8705: mutual TLS, for the authentication of clients and for tokens that are bound to a certificate."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser
from django.test import RequestFactory

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.client_certificates import client_certificate
from django_introspection.conf import introspection_settings
from django_introspection.exceptions import InvalidSetting
from django_introspection.models import Client, Token
from django_introspection.testing import assert_challenge
from django_introspection.x509 import is_named
from tests import certificates, endpoints, factories, jose
from tests.authorization_server.helpers import assert_refused
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.certificates import ClientCertificate
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import TOKEN, ask, protect
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

HEADER = "Client-Cert"
BEHIND_PROXY = {
    **TOKEN_INTROSPECTION,
    "TRUSTED_PROXIES": ["127.0.0.1"],
    "CLIENT_CERTIFICATES": {"FORM": "rfc9440", "VALIDATED": True},
}
GRANT = {"grant_type": "client_credentials", "scope": "orders:read"}
METHODS = ["tls_client_auth", "self_signed_tls_client_auth"]
NAMES = {
    "tls_client_auth_subject_dn": ({"subject": "CN=shop,O=Example\\, Inc.,C=DE"}, "CN=shop,O=Example\\, Inc.,C=DE"),
    "tls_client_auth_san_dns": ({"dns": "Shop.example.com"}, "shop.EXAMPLE.com"),
    "tls_client_auth_san_uri": ({"uri": "spiffe://example.com/shop"}, "spiffe://example.com/shop"),
    "tls_client_auth_san_ip": ({"ip": "2001:db8::1"}, "2001:0DB8:0:0::0:1"),
    "tls_client_auth_san_email": ({"email": "shop@example.com"}, "shop@example.com"),
}


@pytest.fixture(autouse=True)
def _behind_proxy(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = BEHIND_PROXY


def named(kind: str = "tls_client_auth_san_dns", name: str = "shop.example.com", **metadata: Any) -> Client:
    """Register a client of `tls_client_auth`."""
    method = {"token_endpoint_auth_method": "tls_client_auth", "certificate_name_kind": kind, "certificate_name": name}
    client: Client = factories.RegistrationFactory(**method, **metadata).client
    return client


def self_signed(*made: ClientCertificate, **metadata: Any) -> Client:
    """Register a client of `self_signed_tls_client_auth` by thumbprints."""
    method = {"token_endpoint_auth_method": "self_signed_tls_client_auth"}
    prints = {"certificate_thumbprints": [each.thumbprint for each in made]} if made else {}
    client: Client = factories.RegistrationFactory(**method, **prints, **metadata).client
    return client


SHOP = certificates.make(dns="shop.example.com")
OTHER = certificates.make(dns="other.example.com")
OWN = certificates.make(self_signed=True)


def post(path: str, client_id: str | None, certificate: Any, form: Any = GRANT, **options: Any) -> Any:
    header = certificate.header("rfc9440") if isinstance(certificate, ClientCertificate) else certificate
    headers = {**({} if header is None else {HEADER: header}), **options.pop("headers", {})}
    identified = {} if client_id is None else {"client_id": client_id}
    return endpoints.post(path, {**form, **identified}, headers=headers, **options)


def request(client_id: str | None, certificate: Any, form: Any = GRANT, **options: Any) -> Any:
    return post("/oauth/token", client_id, certificate, form, **options)


@pytest.mark.requirement("8705-2-a", "8705-2.1-a")
@pytest.mark.parametrize("kind", NAMES)
def test_a_client_is_recognized_by_the_one_name_of_its_certificate(kind: str) -> None:
    names, registered = NAMES[kind]
    client = named(kind, registered)
    others = [certificates.make(**{"number": 2, **each}) for other, (each, _) in NAMES.items() if other != kind]

    assert request(client.client_id, certificates.make(**names)).status_code == 200
    for other in [certificates.make(subject="CN=shop"), *others]:
        assert_refused(request(client.client_id, other), 401, "invalid_client")


@pytest.mark.requirement("8705-2.1-a")
@pytest.mark.parametrize(
    ("kind", "name", "names"),
    [
        ("tls_client_auth_subject_dn", "CN=shop,O=Example", {"subject": "O=Example,CN=shop"}),
        ("tls_client_auth_subject_dn", "CN=shop", {"subject": "CN=shop,O=Example"}),
        ("tls_client_auth_subject_dn", "CN=shop", {"subject": "CN=Shop"}),
        ("tls_client_auth_san_dns", "shop.example.com", {"dns": "*.example.com"}),
        ("tls_client_auth_san_dns", "shop.example.com", {"dns": "shop.example.com.evil.example"}),
        ("tls_client_auth_san_dns", "shop.example.com", {"subject": "CN=shop.example.com"}),
        ("tls_client_auth_san_dns", "shop.example.com", {"uri": "shop.example.com"}),
        ("tls_client_auth_san_uri", "https://shop.example.com", {"uri": "https://shop.example.com/"}),
        ("tls_client_auth_san_ip", "127.0.0.1", {"ip": "127.0.0.2"}),
        ("tls_client_auth_san_ip", "127.0.0.1", {"dns": "127.0.0.1"}),
        ("tls_client_auth_san_email", "shop@example.com", {"email": "Shop@example.com"}),
    ],
)
def test_a_name_that_is_alike_is_another_one(kind: str, name: str, names: Any) -> None:
    assert_refused(request(named(kind, name).client_id, certificates.make(**names)), 401, "invalid_client")


@pytest.mark.requirement("8705-2-a")
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
@pytest.mark.parametrize("method", METHODS)
def test_every_endpoint_authenticates_by_certificate_and_client_id(path: str, method: str) -> None:
    client, certificate = (named(), SHOP) if method == METHODS[0] else (self_signed(OWN), OWN)
    form = {**GRANT, "token": "unknown"}

    assert post(path, client.client_id, certificate, form).status_code == 200
    for client_id, sent in (
        (client.client_id, OTHER),
        (client.client_id, None),
        (client.client_id, ""),
        (client.client_id, "no certificate"),
        (None, certificate),
        ("unknown", certificate),
        ("a\x00b", certificate),
    ):
        assert_refused(post(path, client_id, sent, form), 401, "invalid_client")


@pytest.mark.requirement("8705-2.2-a")
def test_a_self_signed_certificate_is_one_of_those_registered(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": {"FORM": "rfc9440"}}
    second = certificates.make(self_signed=True, number=2)
    by_thumbprints, by_keys = self_signed(OWN, second), self_signed(jwks={"keys": [OWN.jwk, second.jwk]})

    for client in (by_thumbprints, by_keys):
        for certificate in (OWN, second):
            assert request(client.client_id, certificate).status_code == 200
        same_names = certificates.make(self_signed=True, number=3)
        assert_refused(request(client.client_id, same_names), 401, "invalid_client")


@pytest.mark.requirement("8705-2.1-a")
@pytest.mark.parametrize(
    ("validated", "said", "status"),
    [
        (True, None, 200),
        (False, "SUCCESS", 401),
        (None, "SUCCESS", 401),
        ("X-Verify", "SUCCESS", 200),
        ("X-Verify", "FAILED:self-signed certificate", 401),
        ("X-Verify", "NONE", 401),
        ("X-Verify", "success", 401),
        ("X-Verify", "SUCCESS,SUCCESS", 401),
        ("X-Verify", None, 401),
    ],
)
def test_a_name_counts_only_in_a_certificate_whose_chain_is_validated(
    settings: Any, validated: Any, said: str | None, status: int
) -> None:
    source = {"FORM": "rfc9440", **({} if validated is None else {"VALIDATED": validated})}
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": source}
    headers = {} if said is None else {"X-Verify": said}

    assert request(named().client_id, SHOP, headers=headers).status_code == status


@pytest.mark.requirement("8705-2-a")
def test_a_certificate_authenticates_no_client_of_another_method(machine: Any) -> None:
    signing = factories.RegistrationFactory(
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [OWN.jwk]}, client_id="signer"
    ).client
    Client.objects.filter(pk=machine.client.pk).update(certificate_name_kind="tls_client_auth_san_dns")
    Client.objects.filter(pk=machine.client.pk).update(certificate_name="shop.example.com")

    assert_refused(request(machine.client.client_id, SHOP), 401, "invalid_client")
    assert_refused(request(signing.client_id, OWN), 401, "invalid_client")
    assert request(None, SHOP, auth=machine).status_code == 200
    client = self_signed(OWN)
    Client.objects.update(is_active=False)
    assert_refused(request(client.client_id, OWN), 401, "invalid_client")


@pytest.mark.requirement("8705-2-a")
@pytest.mark.parametrize("remote", ["127.0.0.2", "10.0.0.1", "", "unix:"])
def test_the_header_counts_only_from_a_trusted_proxy(remote: str, caplog: Any) -> None:
    client = self_signed(OWN, tls_client_certificate_bound_access_tokens=True)
    token = request(client.client_id, OWN).json()["access_token"]
    header = {HEADER: OWN.header("rfc9440")}

    form = urlencode({**GRANT, "client_id": client.client_id})
    smuggled = Browser(REMOTE_ADDR=remote).post("/oauth/token", form, endpoints.FORM, headers=header)
    assert_refused(smuggled, 401, "invalid_client")
    assert "not from a proxy in TRUSTED_PROXIES" in caplog.text
    opened = RequestFactory(REMOTE_ADDR=remote).get("/orders", headers={**header, "Authorization": f"Bearer {token}"})
    view = protect()
    assert_challenge(view.as_view()(opened).render(), "invalid_token")
    assert view.ran == []


@pytest.mark.requirement("8705-2-a")
def test_a_header_that_came_twice_counts_as_none(caplog: Any) -> None:
    client = self_signed(OWN)

    for twice in (f"{OWN.header('rfc9440')},{OWN.header('rfc9440')}", f"{SHOP.header('rfc9440')}, :AAAA:"):
        assert_refused(request(client.client_id, twice), 401, "invalid_client")
    assert "client certificate ignored" in caplog.text
    assert OWN.base64[:40] not in caplog.text


def test_without_the_setting_no_header_is_read(settings: Any) -> None:
    client = self_signed(OWN)
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": None}

    assert_refused(request(client.client_id, OWN), 401, "invalid_client")


@pytest.fixture
def bound_client() -> Client:
    return self_signed(OWN, tls_client_certificate_bound_access_tokens=True)


@pytest.mark.requirement("8705-3.1-a", "8705-3.2-a")
@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
def test_a_token_is_bound_to_the_certificate_of_the_request(
    settings: Any, resource_server: Any, token_format: str
) -> None:
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "SIGNING_KEYS": [{"KEY": jose.private("ES256", "server")}]}
    client = self_signed(OWN, tls_client_certificate_bound_access_tokens=True, access_token_format=token_format)

    answer = request(client.client_id, OWN).json()
    told = endpoints.introspect(answer["access_token"], auth=resource_server).json()

    assert (answer["token_type"], told["token_type"]) == ("Bearer", "Bearer")
    assert told["cnf"] == {"x5t#S256": OWN.thumbprint}
    if token_format == "jwt":
        assert jose.read(answer["access_token"])[1]["cnf"] == told["cnf"]


@pytest.mark.requirement("8705-3.3-a")
def test_a_client_for_bound_tokens_gets_none_without_a_certificate() -> None:
    client = factories.RegistrationFactory(tls_client_certificate_bound_access_tokens=True)

    assert_refused(request(None, None, auth=client), 400, "invalid_request")
    assert not Token.objects.exists()
    assert request(None, SHOP, auth=client).status_code == 200
    assert Token.objects.get().members == {"cnf": {"x5t#S256": SHOP.thumbprint}}


@pytest.mark.requirement("8705-3.3-a")
def test_a_client_that_is_not_registered_for_it_gets_bearer_tokens() -> None:
    assert request(self_signed(OWN).client_id, OWN).status_code == 200
    assert Token.objects.get().members == {}


@pytest.mark.requirement("8705-4-a")
def test_a_refresh_binds_to_its_own_certificate_because_every_client_authenticates(user: Any) -> None:
    second = certificates.make(self_signed=True, number=2)
    client = self_signed(OWN, second, tls_client_certificate_bound_access_tokens=True, grant_types=["refresh_token"])
    refresh_token = factories.TokenFactory(client=client, user=user, refresh=True).refresh_token

    for certificate in (OWN, second):
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        refresh_token = request(client.client_id, certificate, form).json()["refresh_token"]
        token = Token.objects.filter(kind="access").latest("pk")
        assert token.members == {"cnf": {"x5t#S256": certificate.thumbprint}}
    assert_refused(request(client.client_id, OTHER, form), 401, "invalid_client")


@pytest.mark.requirement("8705-3.1-a", "9449-6.1-a")
def test_a_token_may_be_bound_to_a_certificate_and_a_key(bound_client: Client) -> None:
    proof = jose.proof("", f"{ISSUER}/oauth/token", htm="POST", ath=None)
    answer = request(bound_client.client_id, OWN, headers={"DPoP": proof}).json()
    view = protect(authentication_classes=[type("Both", (IntrospectionAuthentication,), {"schemes": ("DPoP",)})])

    def present(certificate: ClientCertificate, name: str = "one") -> int:
        proof = jose.proof(answer["access_token"], AUDIENCE, name=name)
        headers = {"Authorization": f"DPoP {answer['access_token']}", "DPoP": proof}
        status: int = ask(view, headers={**headers, HEADER: certificate.header("rfc9440")}).status_code
        return status

    assert answer["token_type"] == "DPoP"
    assert Token.objects.get().members == {"cnf": {"x5t#S256": OWN.thumbprint, "jkt": jose.thumbprint()}}
    assert [present(OWN), present(OTHER), present(OWN, "two")] == [200, 401, 401]


def view_with(token: str, certificate: Any, view: Any = None) -> Any:
    header = certificate.header("rfc9440") if isinstance(certificate, ClientCertificate) else certificate
    return ask(view or protect(), token, headers={} if header is None else {HEADER: header})


@pytest.mark.requirement("8705-3-a", "8705-6.2-a")
def test_a_view_opens_with_the_certificate_of_the_token_alone(bound_client: Client) -> None:
    token = request(bound_client.client_id, OWN).json()["access_token"]

    assert view_with(token, OWN).status_code == 200
    for other in (None, OTHER, certificates.make(self_signed=True, number=2), "", f"{OWN.header('rfc9440')},x"):
        view = protect()
        assert_challenge(view_with(token, other, view), "invalid_token")
        assert view.ran == []


@pytest.mark.requirement("8705-3-a")
@pytest.mark.parametrize("kind", ["remote", "jwt"])
def test_a_token_of_another_server_is_bound_like_one_of_our_own(settings: Any, kind: str) -> None:
    cnf = {"x5t#S256": OWN.thumbprint}
    with MisbehavingServer() as server:
        if kind == "remote":
            own, token = server.settings(audience=AUDIENCE), TOKEN
            server.behave("active", aud=AUDIENCE, cnf=cnf, sub="1", client_id="c")
        else:
            publish(server, public())
            own = {"BACKENDS": {"default": jwt_settings(server.origin)}}
            token = access_token(server.origin, cnf=cnf)
        settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, **own}
        asked = [view_with(token, each).status_code for each in (OWN, OTHER, None, OWN)]

    assert asked == [200, 401, 401, 200]


def test_a_certificate_changes_nothing_about_an_unbound_token() -> None:
    token = factories.TokenFactory().access_token

    assert [view_with(token, each).status_code for each in (OWN, "nonsense", None)] == [200, 200, 200]


@pytest.mark.requirement("8705-3-a", "7662-2.1-j")
def test_a_caller_of_introspection_may_use_a_bound_token_of_its_own() -> None:
    client = self_signed(OWN, scope="introspection", tls_client_certificate_bound_access_tokens=True)
    token = request(client.client_id, OWN, {**GRANT, "scope": "introspection"}).json()["access_token"]

    def introspect(certificate: ClientCertificate | None) -> Any:
        headers = {} if certificate is None else {HEADER: certificate.header("rfc9440")}
        return endpoints.introspect("unknown", auth=f"Bearer {token}", headers=headers)

    assert introspect(OWN).status_code == 200
    for other in (OTHER, None):
        assert_refused(introspect(other), 401, "invalid_token")


@pytest.mark.requirement("8705-3.3-a", "8705-5-a")
def test_the_metadata_say_what_is_on(settings: Any) -> None:
    def document(**source: Any) -> Any:
        settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": source or None}
        return Browser().get("/.well-known/oauth-authorization-server").json()

    for source, methods in (
        ({}, []),
        ({"FORM": "rfc9440"}, METHODS[1:]),
        ({"FORM": "rfc9440", "VALIDATED": "X-Verify"}, METHODS),
        ({"FORM": "server"}, METHODS),
    ):
        members = document(**source)
        assert [each for each in members["token_endpoint_auth_methods_supported"] if "tls" in each] == methods
        assert members.get("tls_client_certificate_bound_access_tokens", False) is bool(source)
        assert "mtls_endpoint_aliases" not in members
    assert document(FORM="server", ORIGIN="https://mtls.example.com")["mtls_endpoint_aliases"] == {
        "token_endpoint": "https://mtls.example.com/oauth/token",
        "introspection_endpoint": "https://mtls.example.com/oauth/introspect",
        "revocation_endpoint": "https://mtls.example.com/oauth/revoke",
    }


@pytest.mark.requirement("8705-5-a", "9449-4.3-c")
def test_a_proof_may_be_for_the_origin_that_asks_for_certificates(settings: Any, machine: Any) -> None:
    source = {"FORM": "server", "ORIGIN": "https://mtls.example.com"}
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": source}
    proof = jose.proof("", "https://mtls.example.com/oauth/token", htm="POST", ath=None)

    assert request(None, None, auth=machine, headers={"DPoP": proof}).json()["token_type"] == "DPoP"


@pytest.mark.requirement("8705-2.1-a", "8705-2.2-a")
@pytest.mark.parametrize(
    "metadata",
    [
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "tls_client_auth", "certificate_name": "shop.example.com"},
        {"token_endpoint_auth_method": "tls_client_auth", "certificate_name_kind": "tls_client_auth_san_dns"},
        {"certificate_name_kind": "tls_client_auth_san_ip", "certificate_name": "shop.example.com"},
        {"certificate_name_kind": "tls_client_auth_subject_dn", "certificate_name": "shop"},
        {"certificate_name_kind": "another", "certificate_name": "shop"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [jose.public("ES256")]}},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth", "certificate_thumbprints": ["x"]},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth", "certificate_thumbprints": "x"},
        {
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "jwks": {"keys": [{**jose.public("ES256"), "x5c": ["AAAA"]}]},
        },
    ],
)
def test_a_client_without_the_one_name_or_a_certificate_is_refused(metadata: Any) -> None:
    method = {"token_endpoint_auth_method": "tls_client_auth"}

    with pytest.raises(ValidationError):
        factories.RegistrationFactory(**{**method, **metadata})


def test_names_need_the_extra_that_reads_certificates(monkeypatch: Any) -> None:
    client = named()
    for module in ("models.certificates", "authorization_server.certificate_clients"):
        monkeypatch.setattr(f"django_introspection.{module}.is_installed", lambda: False)

    assert_refused(request(client.client_id, SHOP), 401, "invalid_client")
    with pytest.raises(ValidationError, match="extra jwt"):
        named()


@pytest.mark.parametrize(
    "source",
    [
        "rfc9440",
        {},
        {"FORM": "xml"},
        {"FORM": "pem"},
        {"FORM": "pem", "HEADER": "a b"},
        {"FORM": "pem", "HEADER": 7},
        {"FORM": "pem", "HEADER": "X", "VALIDATED": 1},
        {"FORM": "pem", "HEADER": "X", "VALIDATED": "a:b"},
        {"FORM": "server", "HEADER": "X"},
        {"FORM": "server", "VALIDATED": True},
        {"FORM": "server", "ORIGIN": "https://a.example/path"},
        {"FORM": "server", "ORIGIN": 7},
        {"FORM": "server", "FROM": "x"},
    ],
    ids=str,
)
def test_a_wrong_setting_names_its_place(settings: Any, source: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"CLIENT_CERTIFICATES": source}

    with pytest.raises(InvalidSetting, match="CLIENT_CERTIFICATES"):
        _ = introspection_settings.CLIENT_CERTIFICATES


@pytest.mark.parametrize(
    ("form", "header"), [("rfc9440", None), ("pem", "X-Cert"), ("base64", "X-Cert"), ("envoy", None)]
)
def test_each_form_of_a_header_is_read_from_the_header_that_is_named(
    settings: Any, form: str, header: str | None
) -> None:
    named = {} if header is None else {"HEADER": header}
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": {"FORM": form, **named}}
    usual = {"rfc9440": "Client-Cert", "envoy": "X-Forwarded-Client-Cert"}

    def read(value: str) -> Any:
        return client_certificate(RequestFactory().get("/", headers={header or usual[form]: value}))

    assert read(OWN.header(form)).thumbprint == OWN.thumbprint
    assert read("") is read("(null)") is None


class Socket:
    def __init__(self, der: bytes | None) -> None:
        self._der = der

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        return self._der if binary_form else None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"gunicorn.socket": Socket(OWN.der)}, True),
        ({"gunicorn.socket": Socket(None)}, None),
        ({"gunicorn.socket": object()}, None),
        ({"SSL_CLIENT_CERT": OWN.pem, "SSL_CLIENT_VERIFY": "SUCCESS"}, True),
        ({"SSL_CLIENT_CERT": OWN.pem, "SSL_CLIENT_VERIFY": "GENEROUS"}, False),
        ({"SSL_CLIENT_CERT": OWN.pem}, False),
        ({"SSL_CLIENT_CERT": ""}, None),
        ({"SSL_CLIENT_CERT": "x"}, None),
        ({"HTTP_CLIENT_CERT": OWN.header("rfc9440"), "HTTP_SSL_CLIENT_CERT": OWN.pem}, None),
        ({}, None),
    ],
)
def test_a_web_server_that_ends_tls_gives_the_certificate(settings: Any, environ: Any, expected: bool | None) -> None:
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": {"FORM": "server"}}

    found = client_certificate(RequestFactory().get("/", **environ))

    assert (found and found.is_validated) is expected
    assert found is None or found.thumbprint == OWN.thumbprint


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ({"client_cert_chain": [OWN.pem, certificates.authority().pem], "client_cert_error": None}, True),
        ({"client_cert_chain": [OWN.pem], "client_cert_error": "self-signed"}, False),
        ({"client_cert_chain": []}, None),
        ({}, None),
    ],
)
def test_an_asgi_server_gives_the_certificate_by_the_tls_extension(
    settings: Any, extension: Any, expected: bool | None
) -> None:
    settings.TOKEN_INTROSPECTION = {**BEHIND_PROXY, "CLIENT_CERTIFICATES": {"FORM": "server"}}
    request = RequestFactory().get("/")
    vars(request)["scope"] = {"extensions": {"tls": extension}}

    found = client_certificate(request)

    assert (found and found.is_validated) is expected


def test_an_authentication_by_certificate_takes_one_statement(django_assert_num_queries: Any) -> None:
    client = self_signed(OWN)
    form = {"token": "unknown"}

    with django_assert_num_queries(2):
        post("/oauth/introspect", client.client_id, OWN, form)


@pytest.mark.parametrize(
    ("kind", "name", "der"),
    [
        ("tls_client_auth_san_ip", "shop", SHOP.der),
        ("tls_client_auth_subject_dn", "shop", SHOP.der),
        ("tls_client_auth_subject_dn", "", SHOP.der),
        ("another", "shop.example.com", SHOP.der),
        ("tls_client_auth_san_dns", "shop.example.com", b"\x30\x00"),
    ],
    ids=["no IP address", "no distinguished name", "an empty name", "an unknown kind", "no certificate"],
)
def test_a_row_or_a_certificate_that_cannot_be_read_matches_nothing(kind: str, name: str, der: bytes) -> None:
    assert not is_named(der, kind, name)
