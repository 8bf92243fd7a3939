"""Middleware of a project that reads the body of every request before the view does."""

from __future__ import annotations

from typing import Any

from rest_framework.parsers import FormParser
from rest_framework.request import Request


def reads_post(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        request.POST.get("csrfmiddlewaretoken")
        return get_response(request)

    return middleware


def reads_body(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        len(request.body)
        return get_response(request)

    return middleware


def parses_with_drf(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        len(Request(request, parsers=[FormParser()]).data)
        return get_response(request)

    return middleware


def reads_the_stream(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        request.read()
        return get_response(request)

    return middleware
