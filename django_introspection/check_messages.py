"""The one table of system check ids; an id is never used for anything else."""

from __future__ import annotations

from django.core import checks

TAG = "introspection"

HINTS = {
    "E001": "Remove it or mend its spelling; the documentation lists every setting.",
    "E002": "The documentation lists every setting with the values that it takes.",
    "E003": "The documentation lists every option of each backend.",
    "E004": "Set REST_FRAMEWORK['UNAUTHENTICATED_USER'] = None, or install django.contrib.auth.",
    "E005": "Make a key with the command introspection_key; the documentation lists what KEYS takes.",
    "E006": "Set TOKEN_INTROSPECTION['REPLAY_CACHE'] to a cache that all processes share.",
    "W001": "Remove 'verify': False, or name a file with the certificate of the authority.",
    "W002": "Set TOKEN_INTROSPECTION['ISSUER']: metadata and bearer callers need it.",
    "W003": "Name a cache that every process of both sides shares, such as Redis.",
    "W005": "Name this API as it stands in the audience of its tokens.",
    "W006": "Use https; plain http to a loopback address needs no option.",
    "W007": "Name a cache that every process shares, such as Redis.",
    "W008": "Leave it at 0 where a revoked token must die at once.",
    "W010": "Give it the policy 'audience' and the resources it serves, unless it is a gateway in front of every API.",
}


def error(number: str, text: str) -> checks.Error:
    """Return an error of the table."""
    return checks.Error(text, hint=HINTS[number], id=f"{TAG}.{number}")


def warning(number: str, text: str) -> checks.Warning:
    """Return a warning of the table."""
    return checks.Warning(text, hint=HINTS[number], id=f"{TAG}.{number}")
