from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.identifiers import (
    endpoint_problem,
    is_loopback,
    issuer_problem,
    on_host_of,
    path_of,
    resource_problem,
)
from tests.properties.strategies import ANY_TEXT

PIECES = st.sampled_from([*":/[]@?#% 9", "https", "http", "//", "localhost", "::1", "a.b"])
URLS = ANY_TEXT | st.lists(PIECES, max_size=10).map("".join) | ANY_TEXT.map("https://{}".format)


@given(URLS, st.booleans())
def test_any_text_is_good_or_has_a_problem_that_can_be_said(text: str, insecure_http: bool) -> None:
    problems = [endpoint_problem(text, insecure_http=insecure_http), issuer_problem(text), resource_problem(text)]

    assert all(problem is None or problem.isprintable() for problem in problems)
    assert is_loopback(text) in (True, False)


@given(URLS)
def test_a_url_without_a_problem_is_taken_as_it_stands(url: str) -> None:
    if endpoint_problem(url) is None:
        assert url.isascii()
        assert url.isprintable()
        assert url.lower().startswith(("https://", "http://"))


@given(URLS)
def test_every_good_issuer_has_endpoints_and_a_path(issuer: str) -> None:
    if issuer_problem(issuer) is None:
        assert endpoint_problem(on_host_of(issuer, "/oauth/token")) is None
        assert not path_of(issuer).startswith("/")
