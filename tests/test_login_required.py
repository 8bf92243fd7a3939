"""Endpoints for programs, which have no session: LoginRequiredMiddleware of Django must not ask them for a login."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver, get_resolver

from django_introspection.forward_auth import verify
from django_introspection.revocation_feed.views import revocations

FOR_PEOPLE = ("admin/", "account/apps/", "account/tokens/", "whoami")


def endpoints(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in patterns:
        place = f"{prefix}{each.pattern}"
        if isinstance(each, URLResolver):
            yield from endpoints(each.url_patterns, place)
        else:
            yield place, each.callback


def test_no_endpoint_for_programs_asks_for_a_login() -> None:
    found = [each for each in endpoints(get_resolver("tests.urls").url_patterns) if not each[0].startswith(FOR_PEOPLE)]
    found += [("revocations", revocations), ("verify", verify())]

    assert len(found) > 8
    assert [place for place, view in found if getattr(view, "login_required", True)] == []
