"""Protection of whole parts of a site by access token."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from rest_framework.exceptions import APIException

from .conf import ProtectedPath, introspection_settings
from .resource_server.denial import plain_response
from .resource_server.protection import Protection

__all__ = ["ProtectedPaths"]


class ProtectedPaths:
    """Ask every request below a path of `TOKEN_INTROSPECTION["PROTECTED_PATHS"]` for a token; the longest path decides.

    Belongs after AuthenticationMiddleware, which would set another user. Views find `request.token_info` and
    `request.user`; refusals are those of `token_required`. Raises InvalidSetting when the server starts.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        paths = sorted(
            introspection_settings.PROTECTED_PATHS, key=lambda path: len(path.prefix.rstrip("/")), reverse=True
        )
        self._paths = [(_normal(path.prefix), path) for path in paths]
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer the request, or refuse it."""
        if self._is_async:
            return self._acall(request)
        if path := self._path_of(request):
            try:
                _protection_of(path).admit(request, path.scopes)
            except APIException as denial:
                return plain_response(denial)
            _without_csrf(request)
        return self.get_response(request)

    async def _acall(self, request: HttpRequest) -> Any:
        if path := self._path_of(request):
            try:
                await _protection_of(path).aadmit(request, path.scopes)
            except APIException as denial:
                return plain_response(denial)
            _without_csrf(request)
        return await self.get_response(request)

    def _path_of(self, request: HttpRequest) -> ProtectedPath | None:
        """Return what protects a request; what a server or a pattern might read as a protected path is one."""
        readings = {_normal(reading) for reading in _readings(request.path_info)}
        for prefix, path in self._paths:
            if any(f"{reading}/".startswith(f"{prefix.rstrip('/')}/") for reading in readings):
                return path
        return None


def _protection_of(path: ProtectedPath) -> Protection:
    return Protection(path.backend, schemes=path.schemes)


def _readings(path: str) -> set[str]:
    """Return a path as it is, and as it is with what was encoded twice."""
    decoded = unquote(path)
    return {path, decoded, unquote(decoded), decoded.replace("\\", "/")}


def _normal(path: str) -> str:
    """Return a path without empty and dot segments and without what cannot be seen, in one case.

    A pattern that ends in `$` takes a line break after it.
    """
    visible = re.sub(r"[\x00-\x20\x7f]", "", f"/{path}")
    return posixpath.normpath(re.sub("/+", "/", visible)).casefold()


def _without_csrf(request: HttpRequest) -> None:
    """Spare the request the CSRF check, as the test client does: no browser sends a token by itself."""
    vars(request)["_dont_enforce_csrf_checks"] = True
