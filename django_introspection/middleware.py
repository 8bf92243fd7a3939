"""Protection of whole parts of a site by access token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, JsonResponse
from rest_framework.exceptions import APIException

from .conf import introspection_settings
from .resource_server.denial import plain_response
from .resource_server.path_rules import PathRule, PathRules
from .resource_server.protection import for_one_sender
from .resource_server.url_readings import url_readings

__all__ = ["ProtectedPaths"]


class ProtectedPaths:
    """Require a token for every request below a path of `TOKEN_INTROSPECTION["PROTECTED_PATHS"]`.

    The most specific path decides, compared without regard to case. A request whose path other programs could read as
    one with another protection is refused with 400. Must come after AuthenticationMiddleware, which would replace the
    user. Views find `request.token_info` and `request.user`; refusals are those of `token_required`. Raises
    InvalidSetting when the server starts.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._paths = PathRules(introspection_settings.PROTECTED_PATHS)
        self._is_async = iscoroutinefunction(get_response)
        self.process_view = self._aprocess_view if self._is_async else self._process_view
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Return the response of the view, or a refusal."""
        if self._is_async:
            return self._acall(request)
        response = self._refusal(request, self._paths_of_request) or self.get_response(request)
        return for_one_sender(response) if "token_info" in vars(request) else response

    async def _acall(self, request: HttpRequest) -> Any:
        response = await self._arefusal(request, self._paths_of_request) or await self.get_response(request)
        return for_one_sender(response) if "token_info" in vars(request) else response

    def _process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> JsonResponse | None:
        """Look again once the view is known: Django calls this before the view."""
        return self._refusal(request, self._paths_of_view, kwargs)

    async def _aprocess_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> JsonResponse | None:
        return await self._arefusal(request, self._paths_of_view, kwargs)

    def _refusal(self, request: HttpRequest, find: Callable[..., list[PathRule]], *args: Any) -> JsonResponse | None:
        try:
            for path in find(request, *args):
                path.protection.admit(request, path.scopes_for(request.method), path.requirements)
                _without_csrf(request)
        except APIException as denial:
            return plain_response(denial)
        return None

    async def _arefusal(
        self, request: HttpRequest, find: Callable[..., list[PathRule]], *args: Any
    ) -> JsonResponse | None:
        try:
            for path in find(request, *args):
                await path.protection.aadmit(request, path.scopes_for(request.method), path.requirements)
                _without_csrf(request)
        except APIException as denial:
            return plain_response(denial)
        return None

    def _paths_of_request(self, request: HttpRequest) -> list[PathRule]:
        """Return the path that protects a request; raises InvalidResourceRequest if that depends on the reader."""
        path = self._paths.of(request)
        vars(request)["_introspection_path"] = (request.path_info, path)
        return [path] if path else []

    def _paths_of_view(self, request: HttpRequest, kwargs: Mapping[str, Any]) -> list[PathRule]:
        """Return the paths that protect the resolved view and that were not asked about yet.

        Another middleware may have changed the path, and the view may have been found by a part of it.
        """
        judged, known = vars(request).get("_introspection_path", (None, None))
        paths = []
        if judged != request.path_info and (known := self._paths.of(request)):
            paths.append(known)
        for reading in url_readings(request, kwargs) if self._paths else ():
            path = self._paths.most_specific(reading)
            if path and not (known and path.covers(known.prefix)):
                paths.append(path)
        return paths


def _without_csrf(request: HttpRequest) -> None:
    """Spare the request the CSRF check, as the test client does: no browser sends a token by itself."""
    vars(request)["_dont_enforce_csrf_checks"] = True
