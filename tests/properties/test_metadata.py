"""Metadata of issuers (RFC 8414): an endpoint is named by the document of this issuer, and tokens may be sent there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound.deadline import deadline
from django_introspection.outbound.discovery import Discovery, metadata_urls
from django_introspection.outbound.messages import Reply, Request
from django_introspection.outbound.steps import Steps, run
from django_introspection.protocol.identifiers import is_loopback, on_host_of, split_uri
from django_introspection.protocol.metadata import contradictions, document
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, UNICODE, json_values, mutations, plain_values

ISSUER = "https://id.example.com/tenant"
GOOD = {"issuer": ISSUER, "introspection_endpoint": f"{ISSUER}/introspect", "jwks_uri": f"{ISSUER}/jwks"}
NAMES = st.sampled_from([*GOOD, "mtls_endpoint_aliases"]) | ANY_TEXT
URLS = st.sampled_from(
    ["https://a.example/x", "http://a.example", "http://127.0.0.1", "https://u@a.example", "//a", ""]
)


class Documents:
    """Answer the requests of a discovery with some replies, and note where it asked."""

    def __init__(self, *replies: Reply) -> None:
        self._replies, self.asked = list(replies), list[str]()

    def exchange(self, request: Callable[[], Request]) -> Steps[Reply]:
        self.asked.append(request().url)
        return self._replies.pop(0) if self._replies else Reply(404, {}, b"")
        yield


def discovered(*replies: Reply, has_certificate: bool = False) -> str | IntrospectionUnavailable:
    documents: Any = Documents(*replies)
    discovery = Discovery(ISSUER, documents, insecure_http=False, has_certificate=has_certificate)
    with deadline(5):
        found = outcome(lambda: run(discovery.endpoint("introspection_endpoint")), IntrospectionUnavailable)
    assert documents.asked == list(metadata_urls(ISSUER))[: len(documents.asked)]
    return found


def assert_safe(url: str | IntrospectionUnavailable) -> None:
    if isinstance(url, str):
        parts = split_uri(url)
        assert parts is not None
        assert parts.hostname
        assert "@" not in parts.netloc
        assert parts.scheme == "https" or is_loopback(parts.hostname)


@given(st.binary(), st.sampled_from([200, 204, 301, 404, 500, 502, 503]))
def test_any_bytes_name_no_endpoint(body: bytes, status: int) -> None:
    assert isinstance(discovered(Reply(status, {}, body)), IntrospectionUnavailable)


@given(st.data())
def test_a_changed_document_names_an_endpoint_if_it_is_that_of_the_issuer(data: Any) -> None:
    body = data.draw(mutations(json.dumps(GOOD))).encode("utf-8", "replace")

    url = discovered(Reply(200, {}, body))

    assert_safe(url)
    if isinstance(url, str):
        assert json.loads(body)["issuer"] == ISSUER


@given(st.dictionaries(NAMES, json_values() | URLS, min_size=1), st.booleans())
def test_members_of_any_kind_name_an_endpoint_that_is_safe_or_none(
    changes: dict[str, Any], with_certificate: bool
) -> None:
    members = {**GOOD, **changes}

    url = discovered(Reply(200, {}, json.dumps(members).encode()), has_certificate=with_certificate)

    assert_safe(url)
    if isinstance(url, str):
        assert members["issuer"] == ISSUER
        aliases = members.get("mtls_endpoint_aliases")
        assert url in (members["introspection_endpoint"], *(aliases.values() if isinstance(aliases, dict) else ()))


@given(ANY_TEXT.filter(lambda issuer: issuer != ISSUER))
def test_the_document_of_another_issuer_names_nothing(issuer: str) -> None:
    body = json.dumps({**GOOD, "issuer": issuer}).encode()

    assert isinstance(discovered(Reply(200, {}, body)), IntrospectionUnavailable)


@given(st.text("abc/.-", max_size=12))
def test_a_document_is_looked_for_on_the_host_of_the_issuer_alone(path: str) -> None:
    issuer = f"https://id.example.com/{path}"

    assert all(url.startswith(f"{on_host_of(issuer, '')}/") for url in metadata_urls(issuer))


@given(st.dictionaries(UNICODE, plain_values()), st.dictionaries(UNICODE, plain_values()))
def test_a_further_member_replaces_none_that_is_decided(decided: dict[str, Any], further: dict[str, Any]) -> None:
    written = document(decided, further)

    for name, value in decided.items():
        assert value is None or written.get(name, value) == value
    assert all(decided.get(name) is not None for name in contradictions(decided, further))
