from __future__ import annotations

import pytest

from django_introspection.protocol.identifiers import (
    endpoint_problem,
    is_loopback,
    issuer_problem,
    leads_here,
    names_any_of,
    normal_resource,
    on_host_of,
    path_of,
    resource_problem,
)

NO_URI = [
    "https://a.example\n",
    " https://a.example",
    "https://a\t.example",
    "https://a example/",
    "https://bücher.example",
]


@pytest.mark.parametrize("issuer", ["https://auth.example.com", "https://auth.example.com/tenant/1", "HTTPS://a:8443"])
def test_an_issuer_is_an_https_url(issuer: str) -> None:
    assert issuer_problem(issuer) is None


@pytest.mark.parametrize("issuer", ["https://a.example?tenant=1", "https://a.example#top", "https://a.example/?"])
def test_an_issuer_has_no_query_and_no_fragment(issuer: str) -> None:
    assert issuer_problem(issuer) == "must not have a query or a fragment"


@pytest.mark.parametrize("url", ["", "auth.example.com", "/oauth", "ftp://a.example", "https://", "https:///path"])
def test_a_place_to_send_tokens_to_is_an_absolute_url(url: str) -> None:
    assert endpoint_problem(url) == "must be an https URL"
    assert issuer_problem(url) == "must be an https URL"


@pytest.mark.parametrize("url", [*NO_URI, "https://a.example ", "https://a.example/ü"])
def test_characters_that_no_uri_has_are_named(url: str) -> None:
    named = "must not contain spaces, control characters or characters outside of ASCII"

    assert endpoint_problem(url) == issuer_problem(url) == resource_problem(url) == named


@pytest.mark.parametrize("url", ["https://[::1", "https://a:99999/", "https://a:b/"])
def test_a_broken_url_is_a_problem_and_not_an_exception(url: str) -> None:
    assert endpoint_problem(url) is not None
    assert resource_problem(url) is not None


@pytest.mark.parametrize("url", ["https://user:secret@a.example", "https://user@a.example", "https://@a.example"])
def test_credentials_do_not_belong_in_a_url(url: str) -> None:
    assert endpoint_problem(url) == "must not contain credentials"


@pytest.mark.parametrize("host", ["auth.example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com"])
def test_plain_http_leaves_this_machine_only_where_it_is_said_explicitly(host: str) -> None:
    assert (
        endpoint_problem(f"http://{host}/introspect")
        == "must be an https URL; plain http is only for loopback addresses"
    )
    assert issuer_problem(f"http://{host}") == "must be an https URL; plain http is only for loopback addresses"
    assert endpoint_problem(f"http://{host}/introspect", insecure_http=True) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "LocalHost", "[::1]"])
def test_plain_http_is_good_on_loopback(host: str) -> None:
    assert endpoint_problem(f"http://{host}:8000/introspect") is None


def test_a_name_that_only_looks_like_loopback_is_not() -> None:
    assert is_loopback("127.0.0.1")
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("8.8.8.8")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost.", "LOCALHOST", "api.localhost", "127.0.0.1", "127.0.0.1.", "127.1", "2130706433"),
        *("0x7f.1", "0177.0.0.1", "0.0.0.0", "0", "::", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),  # noqa: S104
    ],
)
def test_this_machine_is_known_in_each_spelling_that_leads_to_it(host: str) -> None:
    assert leads_here(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "127.0.0.1.example", "10.0.0.1", "128.1", "::2", "", "mylocalhost"]
)
def test_another_machine_is_not_taken_for_this_one(host: str) -> None:
    assert not leads_here(host)


@pytest.mark.parametrize("resource", ["https://api.example.com/orders", "https://api.example.com", "urn:orders:api"])
def test_a_resource_is_an_absolute_uri(resource: str) -> None:
    assert resource_problem(resource) is None


@pytest.mark.parametrize("resource", ["", "orders", "/orders", "//api.example.com", "https:"])
def test_what_is_no_absolute_uri_is_no_resource(resource: str) -> None:
    assert resource_problem(resource) == "must be an absolute URI"


@pytest.mark.parametrize("resource", ["https://api.example.com/orders#list", "https://api.example.com/#"])
def test_a_resource_has_no_fragment(resource: str) -> None:
    assert resource_problem(resource) == "must not have a fragment"


def test_an_endpoint_is_on_the_host_of_the_issuer() -> None:
    assert (
        on_host_of("https://auth.example.com:8443/tenant", "/oauth/token")
        == "https://auth.example.com:8443/oauth/token"
    )


@pytest.mark.parametrize(
    ("issuer", "path"), [("https://a.example", ""), ("https://a.example/", ""), ("https://a.example/t/1/", "t/1")]
)
def test_the_path_of_an_issuer_has_no_slashes_around_it(issuer: str, path: str) -> None:
    assert path_of(issuer) == path


ROOT = "https://api.example.com"


@pytest.mark.parametrize(
    ("spelling", "normal"),
    [
        (f"{ROOT}/", ROOT),
        ("HTTPS://API.Example.COM", ROOT),
        (f"{ROOT}:443/", ROOT),
        ("http://api.example.com:80/orders", "http://api.example.com/orders"),
        ("http://api.example.com:443", "http://api.example.com:443"),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]"),
        (f"{ROOT}:8443/", f"{ROOT}:8443"),
    ],
)
def test_spellings_of_one_resource_have_one_normal_form(spelling: str, normal: str) -> None:
    assert normal_resource(spelling) == normal_resource(normal) == normal
    assert names_any_of([normal], [spelling])
    assert names_any_of([spelling], ["urn:other", normal])


@pytest.mark.parametrize(
    "other",
    [
        f"{ROOT}/orders/",
        f"{ROOT}/Orders",
        f"{ROOT}/orders?",
        f"{ROOT}//",
        f"{ROOT}/?",
        f"{ROOT}:8443/orders",
        "http://api.example.com/orders",
        "https://api.example.com.evil.example/orders",
        "https://user@api.example.com/orders",
        "urn:example:orders",
        "orders",
        "",
        "https://",
        "https:orders",
        "https://api.example.com:port/orders",
        "https://api .example.com/",
    ],
)
def test_what_differs_in_more_than_spelling_is_another_resource(other: str) -> None:
    assert normal_resource(other) == other
    assert not names_any_of([ROOT, f"{ROOT}/orders"], [other])


def test_no_audience_names_no_resource() -> None:
    assert not names_any_of([ROOT], [])
    assert not names_any_of([], [ROOT])
