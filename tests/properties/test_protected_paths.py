"""Protected paths for any URL conf and any path; Django's own resolver says which view runs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from asgiref.sync import async_to_sync
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings
from django.test.client import AsyncClientHandler, ClientHandler
from django.urls import include, path, re_path
from hypothesis import given, settings
from hypothesis import strategies as st

from django_introspection.backends import TokenBackend
from django_introspection.protocol.answer import Active, Answer
from django_introspection.protocol.token_info import TokenInfo

SEGMENTS = st.sampled_from(["api", "admin", "a", "apis", "is", "b.c", "wipe", "\N{LATIN SMALL LETTER LONG S}x"])
PREFIXES = ("/api/", "/api/admin/", "/api/admin/wipe", "/a", "/is/b.c/", "/sx/")


class ScopeTokens(TokenBackend):
    """Take the token `x.y` for one with the scope `x y`."""

    is_remote = False

    def introspect(self, token: str) -> Answer:
        return Active(TokenInfo({"active": True, "token_type": "Bearer", "sub": "1", "scope": token.replace(".", " ")}))


class Pattern(NamedTuple):
    """A URL pattern, and the path below which its author meant it to be."""

    pattern: Any
    meant: str


ran: list[list[str]] = []


def routed(kind: str, segments: list[str]) -> Pattern:
    """Return a pattern of one of the kinds that people write."""
    meant = "/".join(segments)

    def view(request: Any, rest: str = "", format: str = "") -> HttpResponse:  # noqa: A002 - the name that DRF gives it
        # The author of alternatives meant both places.
        elsewhere = kind == "alternatives" and not request.path_info.startswith(f"/{meant}")
        named = f"other/{meant}" if elsewhere else meant
        ran.append([f"/{named}/{reading}" for reading in readings_of_a_view(rest)])
        return HttpResponse()

    head, tail = "/".join(segments[:-1]), segments[-1]
    pattern = {
        "path": lambda: path(meant, view),
        "rest": lambda: path(f"{meant}/<path:rest>", view),
        "closed": lambda: re_path(f"^{meant}/?$", view),
        "no end": lambda: re_path(f"^{meant}", view),
        "no start": lambda: re_path(f"{meant}\\Z", view),
        "neither": lambda: re_path(meant, view),
        "any case": lambda: re_path(f"(?i)^{meant}$", view),
        "alternatives": lambda: re_path(f"^{meant}|^other/{meant}$", view),
        "suffix": lambda: re_path(rf"^{meant}\.(?P<format>[a-z0-9]+)/?$", view),
        "language": lambda: i18n_patterns(path(meant, view), prefix_default_language=False)[0],
        "include": lambda: path(f"{head}/" if head else "", include([path(tail, view)])),
        "include without start": lambda: re_path(f"{head}/" if head else "", include([re_path(f"{tail}", view)])),
    }[kind]()
    return Pattern(pattern, meant)


KINDS = ["path", "rest", "closed", "no end", "no start", "neither", "any case", "alternatives", "suffix", "language",
         "include", "include without start"]  # fmt: skip
PATTERNS = st.builds(routed, st.sampled_from(KINDS), st.lists(SEGMENTS, min_size=1, max_size=3))
JUNK = st.sampled_from(
    ["", "/", "//", "/..", "/../..", "/.", "x", "/x", ";x", "%2e%2e", "/%2e%2e/", "%2F", "%252f", "\\", "\\..\\", "\0",
     "\n", "\t", " ", "/ ", "?", "#", "%", "%00", ".json", ".json/", "de/", "/de/", "other/", "/..;/", "\x85", "\u200b",
     "\uff0f", "/a/../", "/open/../"]
)  # fmt: skip


@st.composite
def hostile_paths(draw: Any, patterns: list[Pattern]) -> str:
    """Draw the path of a pattern or prefix, with junk around it, inside it or both."""
    meant = draw(st.sampled_from([*(each.meant for each in patterns), *(each.strip("/") for each in PREFIXES)]))
    where = draw(st.sampled_from(["before", "after", "inside", "everywhere"]))
    before = draw(JUNK) if where in ("before", "everywhere") else ""
    after = draw(JUNK) + draw(JUNK) if where in ("after", "everywhere") else ""
    if where in ("inside", "everywhere"):
        meant = "".join(draw(st.just("/") | JUNK) + rewritten(draw, segment) for segment in meant.split("/"))
    return f"/{before}{meant}{after}"


def rewritten(draw: Any, segment: str) -> str:
    forms = [segment, segment.upper(), segment.title(), encoded(segment), encoded(encoded(segment))]
    forms += [
        segment.replace(".", other) for other in ("x", "/", "\\", " ") if "." in segment
    ]  # a dot of an expression
    form: str = draw(st.sampled_from(forms))
    return form


def encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def readings_of_a_view(rest: str) -> Iterator[str]:
    """Yield what a view may make of the rest of a path: as it is, as a path of files, decoded again."""
    for text in (rest, unquote(rest), unquote(unquote(rest))):
        yield text
        yield posixpath.normpath(text.replace("\\", "/"))


def demand(read: str) -> str | None:
    """Return the scope that a path needs by the plainest reading of the documentation."""
    segments = [segment.casefold() for segment in posixpath.normpath(read).split("/") if segment]
    found = [
        prefix for prefix in PREFIXES if segments[: len(below := prefix.strip("/").casefold().split("/"))] == below
    ]
    return scope_of(max(found, key=len)) if found else None


def is_below(scope: str | None, wider: str) -> bool:
    """Return whether the path that needs a scope is below the one that needs another."""
    return scope is not None and PREFIXES[int(scope[1:])].startswith(PREFIXES[int(wider[1:])])


def scope_of(prefix: str) -> str:
    return f"s{PREFIXES.index(prefix)}"


def get(path_info: str, headers: dict[str, str]) -> int:
    request = RequestFactory().get("/", headers=headers, PATH_INFO=path_info.encode().decode("latin-1"))
    handler = ClientHandler()
    handler.load_middleware()
    status: int = handler.get_response(request).status_code
    return status


def aget(path_info: str, headers: dict[str, str]) -> int:
    request = AsyncRequestFactory().get("/", headers=headers)
    request.path_info = path_info
    handler = AsyncClientHandler()
    handler.load_middleware(is_async=True)
    status: int = async_to_sync(handler.get_response_async)(request).status_code
    return status


@settings(max_examples=60)
@given(st.data())
def test_a_view_below_a_protected_path_runs_for_tokens_with_its_scope_alone(data: Any) -> None:
    patterns = data.draw(st.lists(PATTERNS, min_size=1, max_size=4))
    urls = ModuleType("urls")
    urls.urlpatterns = [each.pattern for each in patterns]
    token = data.draw(st.none() | st.sampled_from(PREFIXES).map(scope_of))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    introspection = {
        "BACKENDS": {"default": {"BACKEND": f"{__name__}.ScopeTokens"}},
        "PROTECTED_PATHS": {prefix: {"SCOPE": scope_of(prefix)} for prefix in PREFIXES},
    }
    middleware = ["django.middleware.locale.LocaleMiddleware", "django_introspection.middleware.ProtectedPaths"]
    ask = data.draw(st.sampled_from([get, get, get, aget]))

    with override_settings(
        ROOT_URLCONF=urls, TOKEN_INTROSPECTION=introspection, MIDDLEWARE=middleware, LANGUAGE_CODE="en"
    ):
        for _ in range(6):
            path_info = data.draw(hostile_paths(patterns))
            ran.clear()
            status = ask(path_info, headers)
            assert status in (200, 400, 401, 403, 404)
            for read in ran[0] if ran else ():
                needed = demand(read)
                assert needed in (None, token) or (is_below(demand(path_info), needed) and demand(path_info) == token)


@given(st.lists(SEGMENTS, min_size=1, max_size=3), st.sampled_from([None, *PREFIXES]))
def test_a_path_that_is_written_plainly_is_never_ambiguous(segments: list[str], prefix: str | None) -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = [path("<path:rest>", lambda request, rest: HttpResponse())]
    plain = "/" + "/".join(segments)
    needed = demand(plain)
    token = scope_of(prefix) if prefix else None
    introspection = {
        "BACKENDS": {"default": {"BACKEND": f"{__name__}.ScopeTokens"}},
        "PROTECTED_PATHS": {each: {"SCOPE": scope_of(each)} for each in PREFIXES},
    }
    with override_settings(
        ROOT_URLCONF=urls,
        TOKEN_INTROSPECTION=introspection,
        MIDDLEWARE=["django_introspection.middleware.ProtectedPaths"],
    ):
        expected = 200 if needed in (None, token) else 403 if token else 401
        assert get(plain, {"Authorization": f"Bearer {token}"} if token else {}) == expected, quote(plain)
