"""Forward authentication: a reverse proxy asks this view about each request before it hands the request on.

For `auth_request` of nginx, `forward_auth` of Caddy, ForwardAuth of Traefik and the HTTP service of `ext_authz` in
Envoy. The service behind the proxy then needs no knowledge of tokens.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.encoding import repercent_broken_unicode
from django.utils.functional import cached_property
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException

from .conf import introspection_settings
from .exceptions import InvalidSetting
from .protocol.presented import BEARER, SCHEMES, are_schemes
from .protocol.scope import parse_scope
from .resource_server.denial import DEFAULT_REALM, InvalidResourceRequest, plain_response
from .resource_server.path_rules import PathRules
from .resource_server.protection import Protection, issuer_of
from .setting_values import ProtectedPath

__all__ = ["verify"]

logger = logging.getLogger("django_introspection")

METHOD, URI = "HTTP_X_FORWARDED_METHOD", "HTTP_X_FORWARDED_URI"
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Matches a method (RFC 9110 §9.1)."""
_SLASHES = re.compile(r"(%2f|%5c)", re.IGNORECASE)
_VISIBLE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
_SAFE = {"Subject": _VISIBLE, "Client": _VISIBLE, "Scope": f"{_VISIBLE} ", "Issuer": _VISIBLE}
"""The characters of each header that are not encoded; HTTP removes spaces around a value."""


class OriginalRequest(HttpRequest):
    """The request that the client sent to the proxy, without its body."""

    def __init__(self, asked: HttpRequest, method: str, target: str) -> None:
        super().__init__()
        path, _, query = target.partition("?")
        decoded = _decoded(path)
        self.method, self.path, self.path_info = method, decoded, decoded
        self.path_with_encoded_slashes = "".join(
            part if number % 2 else _decoded(part) for number, part in enumerate(_SLASHES.split(path))
        )
        del self.GET  # read when it is asked for: a query may have more parameters than Django reads
        target_parts = {"SCRIPT_NAME": "", "PATH_INFO": decoded, "QUERY_STRING": query}
        self.META = {**asked.META, "REQUEST_METHOD": method, **target_parts}
        self.META.setdefault("HTTP_X_FORWARDED_FOR", "")  # a proxy asks, so its own address is never that of the client

    @cached_property
    def GET(self) -> QueryDict:  # type: ignore[override]  # noqa: N802 - the name of Django
        """Return the parameters of the query; raises TooManyFieldsSent."""
        return QueryDict(self.META["QUERY_STRING"])


def _decoded(path: str) -> str:
    return repercent_broken_unicode(unquote_to_bytes(path.encode("latin-1"))).decode()


def verify(
    *,
    scope: str = "",
    paths: Mapping[str, Mapping[str, Any]] | None = None,
    using: str = "default",
    realm: str = DEFAULT_REALM,
    schemes: tuple[str, ...] = (BEARER,),
) -> Callable[..., HttpResponse]:
    """Return a view that answers a proxy whether it may hand a request on.

    200 if the token of the request is accepted and has every scope token of `scope`, with the headers `X-Auth-Subject`,
    `X-Auth-Client`, `X-Auth-Scope` and `X-Auth-Issuer`, percent-encoded and empty if unknown. 401 or 403 with the
    challenge (RFC 6750 §3) if not, 400 if the request is malformed, and 503 if the token cannot be checked.

    `paths` has the form of the setting PROTECTED_PATHS. The most specific path of the original request decides; the
    other arguments count for a request below none of them. The original method and target are those of the headers
    `X-Forwarded-Method` and `X-Forwarded-Uri`, or of the request itself if the URL pattern has the argument `original`,
    which is the path behind a prefix. Raises ValueError for an invalid scope, scheme or path.
    """
    if not are_schemes(schemes):
        raise ValueError(f"schemes are of {', '.join(SCHEMES)}")
    protection, scopes = Protection(using, realm, schemes=schemes), parse_scope(scope)
    entries = _entries(paths or {})
    rules = PathRules(entries)

    @csrf_exempt
    def view(request: HttpRequest, original: str | None = None) -> HttpResponse:
        try:
            asked = _original_request(request, original, protection)
            if rule := rules.of(asked, elsewhere=asked.path_with_encoded_slashes):
                rule.protection.admit(asked, rule.scopes_for(asked.method), rule.requirements)
            else:
                protection.admit(asked, scopes)
        except APIException as denial:
            return plain_response(denial)
        return _accepted(asked)

    declared = {"protection": protection, "scopes": scopes, "paths": entries}  # for checks and metadata
    view.login_required = False  # type: ignore[attr-defined]  # how LoginRequiredMiddleware is told
    vars(view).update({f"introspection_{name}": value for name, value in declared.items()})
    return view


def _entries(paths: Mapping[str, Mapping[str, Any]]) -> list[ProtectedPath]:
    try:
        aliases = introspection_settings.BACKENDS
        return [ProtectedPath.read(prefix, entry, aliases) for prefix, entry in paths.items()]
    except InvalidSetting as problem:
        raise ValueError(f"the argument paths has the form of the setting PROTECTED_PATHS: {problem}") from None


def _original_request(request: HttpRequest, original: str | None, protection: Protection) -> OriginalRequest:
    """Return the request that the proxy asks about; raises InvalidResourceRequest."""
    if original is None:
        method, target = request.META.get(METHOD, ""), request.META.get(URI, "")
    else:
        query = request.META.get("QUERY_STRING", "")
        method, target = request.method or "", f"/{quote(original.lstrip('/'))}{'?' if query else ''}{query}"
    if not _METHOD.fullmatch(method) or not target.startswith("/"):
        logger.error("forward authentication: the proxy sent no usable X-Forwarded-Method and X-Forwarded-Uri")
        announcement = protection.announcement.answering(request)
        raise InvalidResourceRequest("The original request is not known.", announcement=announcement)
    return OriginalRequest(request, method, target)


def _accepted(original: Any) -> HttpResponse:
    """Return the answer for a proxy, with what the service behind it may rely on."""
    info = original.token_info
    named = {
        "Subject": info.sub,
        "Client": info.client_id,
        "Scope": " ".join(sorted(info.scopes)),
        "Issuer": issuer_of(original, info),
    }
    headers = {f"X-Auth-{name}": quote(value or "", safe=_SAFE[name]) for name, value in named.items()}
    return HttpResponse(headers={**headers, "Cache-Control": "private, no-store", "Vary": "Authorization"})
