"""Validate tokens in a project that has the app and no SDK; run by `test_opentelemetry.py`."""

from __future__ import annotations

import django
from django.conf import settings
from opentelemetry import trace

from django_introspection import introspect, token_backends
from tests.misbehaving.server import MisbehavingServer

INCOMING = trace.SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=trace.TraceFlags(1))


def main() -> None:
    django.setup()
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        with trace.use_span(trace.NonRecordingSpan(INCOMING)):
            assert introspect("a-token")
        assert introspect("a-token")
        token_backends.close()
        within, alone = (request.headers.get("traceparent") for request in server.requests)
        assert within == f"00-{0x1234:032x}-{0x5678:016x}-01", within
        assert alone is None


if __name__ == "__main__":
    main()
