"""Work that no client waits for: it is done when the answer has been sent."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial

from django.http import HttpRequest
from django.http.response import HttpResponseBase

Work = Callable[[], None]
_LIST = "_introspection_afterwards"


def defer_until_sent(request: HttpRequest, work: Work) -> None:
    """Put off some work, which raises nothing, until the answer to this request has been sent.

    It runs in the context of the caller, because a router of the project may choose the database by a context variable.
    """
    vars(request).setdefault(_LIST, []).append(partial(copy_context().run, work))


def run_deferred_work(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let an answer do the work of its request when the server closes it, before Django gives up the connections."""
    work: list[Work] = vars(request).pop(_LIST, [])
    close = response.close

    def close_after_work() -> None:
        while work:
            work.pop(0)()
        close()

    if work:
        vars(response)["close"] = close_after_work
