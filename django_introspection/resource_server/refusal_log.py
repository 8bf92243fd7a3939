"""The log of refusals, with the reason of each.

A stranger can cause one line for each request, so the level is INFO, which a project without LOGGING does not show.
While DEBUG is on, the level is WARNING, which it does show.
"""

from __future__ import annotations

import logging

from django.conf import settings

logger = logging.getLogger("django_introspection")


def log_refusal(line: str, *arguments: object) -> None:
    """Log why a request was refused; the arguments hold no token and no secret."""
    logger.log(logging.WARNING if settings.DEBUG else logging.INFO, line, *arguments)
