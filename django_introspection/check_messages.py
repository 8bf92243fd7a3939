"""The one table of system check ids; an id is never used for anything else (E006 is retired)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any

from django.core import checks

from .exceptions import InvalidSetting
from .setting_values import NAME

TAG = "introspection"

_SETTINGS = "See the page Settings (docs/settings.rst)"
_CACHES = "See the page Settings (docs/settings.rst), section Caches"
_VIEWS = "See the page Protecting views (docs/protecting-views.rst)"
_SCOPES = "See the page Permissions (docs/permissions.rst)"

HINTS = {
    "E001": f"Remove it or correct its spelling. {_SETTINGS}.",
    "E002": f"Give it a valid value. {_SETTINGS}.",
    "E003": f"Correct the entry. {_SETTINGS}, section Backends.",
    "E004": "Set REST_FRAMEWORK['UNAUTHENTICATED_USER'] = None, or install django.contrib.auth.",
    "E005": f"Make a key with the command introspection_key. {_SETTINGS}, section Signing keys.",
    "E007": "Correct the entry. See the page Calling another API (docs/calling-another-api.rst).",
    "E010": "Add 'django_introspection.middleware.ProtectedPaths' to MIDDLEWARE, after AuthenticationMiddleware.",
    "E011": "Move ProtectedPaths below AuthenticationMiddleware, which would set the user of the session instead.",
    "E012": "Correct the entry. See the page Users (docs/users.rst).",
    "E013": f"Set it to a list, tuple or set of scopes, or a dictionary of these by method or action. {_SCOPES}.",
    "E014": f"Name 'header', and 'body' if forms may contain the token. {_VIEWS}.",
    "E025": f"Name 'Bearer', 'DPoP', 'Token' or 'Api-Key'. {_VIEWS}.",
    "E026": "Install the extra jwt, which verifies the proofs.",
    "E027": "Give the backend an 'audience' that is the https URL of this API, or set TOKEN_INTROSPECTION['ORIGINS'].",
    "E030": f"Name existing classes. {_SETTINGS}, entry CLIENT_SOURCES.",
    "E031": "Let the database router keep these tables in one database: one statement reads both.",
    "E032": "Give both the address of the one server that speaks for this issuer; any other has another issuer.",
    "E033": "Set 'issuer': it makes the users of this server different from those of every other one.",
    "E060": "Correct the row in the admin, or make it inactive. See the page Many issuers (docs/many-issuers.rst).",
    "E034": "Map by 'identity', which holds the issuer, or give each server a field of its own.",
    "E040": f"Set TOKEN_INTROSPECTION['BACKENDS']. {_SETTINGS}, section Backends.",
    "E041": f"Correct the alias, or add it to TOKEN_INTROSPECTION['BACKENDS']. {_SETTINGS}, section Backends.",
    "E042": f"Write methods in capitals. {_SCOPES}.",
    "E043": f"Use HasScope or requires_scope() instead. {_SCOPES}.",
    "E044": f"Install the package, or correct the entry of CACHES. {_CACHES}.",
    "E045": f"Use a shared cache that keeps entries until they expire, such as Redis with noeviction. {_CACHES}.",
    "E046": f"Set it to a shared cache that keeps entries until they expire, such as Redis with noeviction. {_CACHES}.",
    "E047": f"Call it with the scopes or the claim that the view requires. {_SCOPES}.",
    "E048": f"Use Redis, or a database alias without ATOMIC_REQUESTS. {_CACHES}.",
    "E070": f"Remove the member: this server decides its value. {_SETTINGS}, section Metadata.",
    "E071": f"Add a key for the algorithm, or choose another one for the client. {_SETTINGS}, section Signing keys.",
    "E072": "Name the proxy in TRUSTED_PROXIES. See the page Issuing bound tokens (docs/bound-tokens.rst).",
    "E090": "Add 'django_introspection' to INSTALLED_APPS, or remove the feed. See docs/revocation-feed.rst.",
    "E091": "Remove 'django_introspection.revocation_feed' from INSTALLED_APPS. See docs/revocation-feed.rst.",
    "E092": "Name a cache of Django's RedisCache or django-redis, or remove ALIAS. See docs/revocation-feed.rst.",
    "E073": "Install the extra jwt, which verifies them.",
    "E080": "Set it to a shared cache. See the page Security events (docs/security-events.rst).",
    "E081": "Set the variable or make the file, or make the stream inactive.",
    "E110": "Add PermissionsMixin to the user model, or name a function as SCOPES (docs/personal-tokens.rst).",
    "E111": "Name resources whose FORMAT is not 'jwt'. See the page Personal tokens (docs/personal-tokens.rst).",
    "W110": "Name the audience of the backend. See the page Personal tokens (docs/personal-tokens.rst).",
    "E082": "Set both. See the page Security events (docs/security-events.rst), section Send events.",
    "E083": "Add 'django_introspection.security_events' to INSTALLED_APPS.",
    "W001": "Remove 'verify': False, or name a file with the certificate of the authority.",
    "W002": "Set TOKEN_INTROSPECTION['ISSUER']: metadata and bearer callers need it.",
    "W003": "Name the addresses of your proxies alone.",
    "W005": "Set it to the identifier of this API in its tokens, or to None if every token may be used here.",
    "W006": "Use https; plain http to a loopback address needs no option.",
    "W007": f"Use a cache that every process shares, such as Redis. {_CACHES}.",
    "W008": "Leave it at 0, or follow a feed of revocations (docs/revocation-feed.rst).",
    "W009": "Synchronize the clocks, and choose a minute or less.",
    "W010": "Give it the policy 'audience' and the resources it serves, unless it is a gateway in front of every API.",
    "W011": "Put IntrospectionAuthentication first: only the first authenticator has its challenge in a 401.",
    "W012": "Keep one of them; for tokens of several servers, one that asks a routing backend.",
    "W013": "Give the backend an 'audience' that is the https URL of this API, or serve no metadata of resources.",
    "W014": "Name the resource by an https URL without fragment and query.",
    "W015": "Name the prefix of TOKEN_PREFIX in the option 'prefixes'. See the page Backends (docs/backends.rst).",
    "W016": "Set ADMINS, or remove 'admins'. See the page Leaked tokens (docs/leaked-tokens.rst).",
    "W030": "Leave it narrow, and name in the admin the resource servers that may introspect more.",
    "W031": "Delete the row. If the client exists again, add a row for it.",
    "W032": "Choose at most a minute: a client that was disabled can introspect for so long, in other processes.",
    "W033": "Name the audience of the tokens by which callers authenticate, or ask for it at their issuer.",
    "W034": "Use https: clients compare the issuer, and find the endpoints below it (RFC 8414 §2).",
    "W050": "Add path('oauth/', include('django_introspection.urls')) to the URL conf.",
    "W051": "Use path('', include('django_introspection.well_known_urls')) in the root URL conf (RFC 8414 §3).",
    "W052": "Add path('', include('django_introspection.well_known_urls')) to the root URL conf.",
    "W053": f"Add IntrospectionAuthentication to the authentication_classes of the view. {_VIEWS}.",
    "W054": f"Correct its spelling, or remove it. {_SCOPES}.",
    "W055": f"Correct its spelling, or add it to the SCOPES of a resource. {_SETTINGS}, section Resources.",
    "W056": f"Set maxmemory-policy noeviction on a Redis server, then silence this warning. {_CACHES}.",
    "W058": f"Use Redis, or a database alias without ATOMIC_REQUESTS: an error undoes what a request wrote. {_CACHES}.",
    "W060": "Set the option 'issuers' of a RoutingBackend to 'django_introspection.contrib.issuers.find'.",
    "W057": f"Set 'socket_timeout' in its OPTIONS. {_CACHES}.",
    "W080": "Set the option, or make the stream inactive. See the page Security events (docs/security-events.rst).",
    "W040": f"Use a cache that every process shares, such as Redis, or the overview counts one process. {_CACHES}.",
}

Messages = list[checks.CheckMessage]


def error(number: str, text: str, obj: Any = NAME) -> checks.Error:
    """Return an error of the table; `obj` is the place in the project, by default the settings."""
    return checks.Error(text, hint=HINTS[number], obj=obj, id=f"{TAG}.{number}")


def warning(number: str, text: str, obj: Any = NAME) -> checks.Warning:
    """Return a warning of the table; `obj` is the place in the project, by default the settings."""
    return checks.Warning(text, hint=HINTS[number], obj=obj, id=f"{TAG}.{number}")


def of_valid_settings(check: Callable[..., Iterator[checks.CheckMessage]]) -> Callable[..., Messages]:
    """Make a system check of a generator: it ends at an invalid setting, which E002 or E003 reports."""

    @wraps(check)
    def checked(**kwargs: Any) -> Messages:
        messages: Messages = []
        with suppress(InvalidSetting):
            for message in check(**kwargs):
                messages.append(message)
        return messages

    return checked
