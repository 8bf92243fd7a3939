"""What can go wrong, in words for the person at the page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


class Problem(Exception):
    """A page instead of the one that was asked for."""

    def __init__(self, status: int, title: str, explanation: str, *, evidence: str = "", retry: bool = False) -> None:
        super().__init__(title)
        self.status, self.title, self.explanation = status, title, explanation
        self.evidence, self.retry = evidence, retry


def denied() -> Problem:
    return Problem(
        403,
        "You did not give access",
        "The authorization server says that you cancelled. The order book got no token and can see nothing of yours.",
    )


def not_asked_for() -> Problem:
    return Problem(
        400,
        "This sign-in was not started here",
        "The answer does not belong to a sign-in of this browser, or it came a second time. It may have been "
        "prepared by somebody else, so it was not used.",
    )


def refused_by_authorization_server(error: str) -> Problem:
    return Problem(
        502,
        "The authorization server refused",
        "It gave no token. Whoever runs the order book finds the reason in this error code.",
        evidence=error[:100],
    )


def authorization_server_down() -> Problem:
    return Problem(
        503,
        "The authorization server does not answer",
        "Nobody can sign in there at the moment, and no token can be given back. Try again in a minute.",
        retry=True,
    )


def api_down() -> Problem:
    return Problem(
        503,
        "The orders API does not answer",
        "Your sign-in is fine. The API is not running or cannot be reached; try again in a minute.",
        retry=True,
    )


def api_cannot_find_out(evidence: str) -> Problem:
    return Problem(
        503,
        "The orders API cannot find out what your token means",
        "It asks the authorization server about each token, and got no answer. Rather than trust a token that may "
        "have been revoked, it opens nothing. Your token may still be good; try again in a minute.",
        evidence=evidence,
        retry=True,
    )


def token_refused(evidence: str) -> Problem:
    return Problem(
        403,
        "Your token is no longer accepted",
        "The orders API asked the authorization server about it and was told that it is not active: somebody revoked "
        "it, or it expired. It opens nothing any more, whatever its scopes were. Sign in to get another one.",
        evidence=evidence,
    )


class ProblemPages:
    """Show a problem as a page; a middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, problem: Exception) -> HttpResponse | None:
        if not isinstance(problem, Problem):
            return None
        return render(request, "web_client/problem.html", {"problem": problem}, status=problem.status)
