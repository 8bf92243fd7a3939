"""The place where telemetry takes part in the requests to other servers."""

from __future__ import annotations

from collections.abc import Callable

from .messages import Reply, Request
from .steps import Step

Send = Callable[[Request], Step[Reply]]
"""Return the step that sends a request."""


class Instrumentation:
    """`around` returns the step of a request in place of `Send`, which it calls itself; None if nothing is observed."""

    around: Callable[[Request, Send], Step[Reply]] | None = None


instrumentation = Instrumentation()
