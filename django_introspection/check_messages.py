"""The one table of system check ids; an id is never used for anything else."""

from __future__ import annotations

from django.core import checks

TAG = "introspection"

HINTS = {
    "E001": "Remove it or mend its spelling; the documentation lists every setting.",
    "E002": "The documentation lists every setting with the values that it takes.",
    "E003": "The documentation lists every option of each backend.",
    "E004": "Set REST_FRAMEWORK['UNAUTHENTICATED_USER'] = None, or install django.contrib.auth.",
    "E005": "Make a key with the command introspection_key; the documentation lists what SIGNING_KEYS takes.",
    "E006": "Set TOKEN_INTROSPECTION['REPLAY_CACHE'] to a cache that all processes share.",
    "E010": "Add 'django_introspection.middleware.ProtectedPaths' to MIDDLEWARE, after AuthenticationMiddleware.",
    "E011": "Move ProtectedPaths below AuthenticationMiddleware, which would set the user of the session instead.",
    "E012": "The documentation of users lists the resolvers with what they take.",
    "E013": "Give it a list of scopes, or a dictionary of lists by method or action.",
    "E014": "Name 'header', and 'body' where forms may hold the token.",
    "E025": "Name 'Bearer', 'DPoP' or both.",
    "E026": "Install the extra jwt, which verifies the proofs.",
    "E027": "Give the backend an 'audience' that is the https URL of this API, or set TOKEN_INTROSPECTION['ORIGINS'].",
    "E030": "The documentation lists the sources of clients that there are.",
    "E031": "Let the database router keep these tables in one database: one statement reads both.",
    "W001": "Remove 'verify': False, or name a file with the certificate of the authority.",
    "W002": "Set TOKEN_INTROSPECTION['ISSUER']: metadata and bearer callers need it.",
    "W003": "Name a cache that every process of both sides shares, such as Redis.",
    "W005": "Name this API as it stands in the audience of its tokens.",
    "W006": "Use https; plain http to a loopback address needs no option.",
    "W007": "Name a cache that every process shares, such as Redis.",
    "W008": "Leave it at 0 where a revoked token must die at once.",
    "W010": "Give it the policy 'audience' and the resources it serves, unless it is a gateway in front of every API.",
    "W011": "Put IntrospectionAuthentication first: the first authenticator alone has its challenge in a 401.",
    "W012": "Keep one of them; for tokens of several servers, one that asks a routing backend.",
    "W013": "Give the backend an 'audience' that is the https URL of this API, or serve no metadata of resources.",
    "W014": "Name the resource by an https URL without fragment and query.",
    "W015": "Map by 'identity', which holds the issuer, or give each server a field of its own.",
    "W030": "Leave it narrow, and name in the admin the resource servers that may introspect more.",
    "W040": "Name a cache that every process shares, such as Redis, or the overview shows what one process counted.",
}


def error(number: str, text: str) -> checks.Error:
    """Return an error of the table."""
    return checks.Error(text, hint=HINTS[number], id=f"{TAG}.{number}")


def warning(number: str, text: str) -> checks.Warning:
    """Return a warning of the table."""
    return checks.Warning(text, hint=HINTS[number], id=f"{TAG}.{number}")
