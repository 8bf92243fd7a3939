"""The API of personal tokens for Django REST framework: list, make, rotate and revoke."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.cache import BaseCache
from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.db.models import QuerySet
from rest_framework import exceptions, mixins, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import action
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.viewsets import GenericViewSet

from ..authentication import IntrospectionAuthentication
from ..authorization_server import revoking
from ..cache_calls import CacheCalls, CacheUnavailable
from ..conf import introspection_settings
from ..permissions import requires_scope
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.token_info import TokenInfo
from ..self_service.sessions import is_of_session
from ..user_models import is_active_user, login_name
from . import issuing
from .bounds import UNBOUND, Bounds
from .issuing import IssuedPersonalToken
from .models import PersonalToken
from .serializers import NewTokenSerializer, PersonalTokenSerializer, RotationSerializer

if TYPE_CHECKING:  # generic for the type checker alone
    _ViewSet = GenericViewSet[PersonalToken]
    _ListModelMixin = mixins.ListModelMixin
else:
    _ViewSet, _ListModelMixin = GenericViewSet, mixins.ListModelMixin

__all__ = ["PersonalTokenViewSet"]

logger = logging.getLogger("django_introspection")

MANAGE = "tokens:manage"
"""The scope that a token needs to manage the tokens of its user."""
_calls = CacheCalls("throttle counts of personal tokens")


class IsLocalUser(BasePermission):
    """Allow active users of this project, and no client."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the request has such a user."""
        return isinstance(request.user, get_user_model()) and is_active_user(request.user)


class BySession(BasePermission):
    """Allow requests of a session: no other kind of credential, such as a token of another package."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether a session has authenticated the request."""
        is_read_from_session = isinstance(request.successful_authenticator, SessionAuthentication)
        return is_read_from_session and is_of_session(request._request)


class PersonalTokenThrottle(UserRateThrottle):
    """Let one user send so many requests. While the cache of THROTTLE does not answer, none is counted."""

    scope = "personal_tokens"
    rate = "60/min"

    def allow_request(self, request: Request, view: Any) -> bool:
        """Return whether the limit is not reached."""

        def count(cache: BaseCache) -> bool:
            self.cache = cache
            return super(PersonalTokenThrottle, self).allow_request(request, view)

        try:
            return _calls.use(introspection_settings.THROTTLE.ALIAS, count)
        except CacheUnavailable:
            return True


class PersonalTokenPages(PageNumberPagination):
    """Pages of the list."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100


class Unavailable(exceptions.APIException):
    """The rights of the user, the database or the cache of REVOCATIONS cannot be asked now."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The server cannot answer at the moment."
    default_code = "temporarily_unavailable"
    wait = 5


class PersonalTokenViewSet(_ListModelMixin, mixins.RetrieveModelMixin, _ViewSet):
    """The live personal tokens of the user of a request.

    A session manages all of them. An access token manages them if it has the scope `tokens:manage`, and makes none that
    has more than itself: its scope, audience, networks, key and expiry are the most that it can give. A value is in the
    one answer that made it. Every answer is `no-store`.
    """

    authentication_classes = (IntrospectionAuthentication, SessionAuthentication)
    permission_classes = (IsLocalUser, requires_scope(MANAGE) | BySession)
    throttle_classes = (PersonalTokenThrottle,)
    pagination_class = PersonalTokenPages
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)
    serializer_class = PersonalTokenSerializer
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9a-f-]{36}"
    queryset = PersonalToken.objects.none()  # for the description of the API
    http_method_names = ("get", "head", "post", "delete", "options")

    @classmethod
    def as_view(cls, *arguments: Any, **options: Any) -> Any:
        """Return the view, outside of every database's ATOMIC_REQUESTS: an error must not undo a revocation."""
        view = super().as_view(*arguments, **options)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_queryset(self) -> QuerySet[PersonalToken]:
        """Return the tokens of the user."""
        if getattr(self, "swagger_fake_view", False):
            return PersonalToken.objects.none()
        return PersonalToken.objects.live(self.request.user)

    def get_serializer_class(self) -> Any:
        """Return what an action reads and writes."""
        return {"create": NewTokenSerializer, "rotate": RotationSerializer}.get(self.action, PersonalTokenSerializer)

    @conceal_locals
    def create(self, request: Request) -> Response:
        """Make a token."""
        serializer = NewTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        issued = issuing.issue(request.user, **serializer.grant(), by=_who(request), bounds=_bounds(request))
        return Response(self._shown(issued), status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["post"])
    @conceal_locals
    def rotate(self, request: Request, **arguments: Any) -> Response:
        """Give a token a new value. Name, scope, networks and lifetime stay the same."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        grace = timedelta(seconds=serializer.validated_data["grace"])
        issued = issuing.rotate(self.get_object(), grace=grace, by=_who(request), bounds=_bounds(request))
        return Response(self._shown(issued))

    def destroy(self, request: Request, **arguments: Any) -> Response:
        """Revoke a token."""
        issuing.revoke(self.get_object(), by=_who(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 400 if a request is refused, and 503 if the rights, the database or the cache cannot be asked."""
        handled: Response = super().handle_exception(_as_api_error(exc))
        return handled

    def finalize_response(self, request: Request, response: Response, *arguments: Any, **options: Any) -> Response:
        """Let no cache keep an answer."""
        final: Response = super().finalize_response(request, response, *arguments, **options)
        final["Cache-Control"], final["Pragma"] = "no-store", "no-cache"
        return final

    def _shown(self, issued: IssuedPersonalToken) -> dict[str, Any]:
        return {**PersonalTokenSerializer(issued.row).data, "token": issued.value}


def _bounds(request: Request) -> Bounds:
    return Bounds.of(request.auth) if isinstance(request.auth, TokenInfo) else UNBOUND


def _who(request: Request) -> str:
    who = f"{revoking.USER} {login_name(request.user)}"
    return f"{who} by token {request.auth.jti}" if isinstance(request.auth, TokenInfo) else who


def _as_api_error(error: Exception) -> Exception:
    if isinstance(error, ValidationError):
        detail = error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
        return exceptions.ValidationError(detail)
    if isinstance(error, DatabaseError):  # its text may quote values
        logger.error("the API of personal tokens cannot answer: %s", type(error).__name__)
    return Unavailable() if isinstance(error, (DatabaseError, IntrospectionUnavailable)) else error
