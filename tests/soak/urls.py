"""The protected views of each server; on the authorization server also the endpoints and the site's own login."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection import TokenInfo
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from django_introspection.permissions import HasScope

from .site import VIEWS, Server, View


def shown(info: TokenInfo) -> dict[str, Any]:
    """Return what a view knows about the token, by the names of RFC 7662 §2.2."""
    return {
        "scope": " ".join(info.scopes),
        "aud": list(info.audiences),
        "client_id": info.client_id,
        "sub": info.sub,
        "jti": info.get("jti"),
    }


def view_for(view: View) -> Any:
    if view.is_class:
        return _class_for(view)
    if view.server is Server.ASYNC_API:
        return _coroutine_for(view)

    @token_required(scope=view.scope, using=view.backend)
    def function(request: Any) -> JsonResponse:
        return JsonResponse(shown(request.token_info))

    return function


def _coroutine_for(view: View) -> Any:
    @token_required(scope=view.scope, using=view.backend)
    async def coroutine(request: Any) -> JsonResponse:
        return JsonResponse(shown(request.token_info))

    return coroutine


def _class_for(view: View) -> Any:
    class Protected(APIView):
        authentication_classes = [IntrospectionAuthentication.using(view.backend)]
        permission_classes = [HasScope]
        required_scopes = [view.scope]

        def get(self, request: Request) -> Response:
            return Response(shown(request.auth))

    return Protected.as_view()


@csrf_exempt
def login(request: HttpRequest) -> JsonResponse:
    """Issue tokens for a user, as the login of a site does."""
    from datetime import timedelta

    from django.contrib.auth import get_user_model

    from django_introspection.models import Client, Token

    form = request.POST
    lifetime = timedelta(seconds=int(form["lifetime"])) if "lifetime" in form else None
    try:
        issued = Token.objects.issue(
            client=Client.objects.get(client_id=form["client_id"]),
            user=get_user_model().objects.get(username=form["username"]),
            scope=form["scope"],
            audience=[form["resource"]],
            refresh="refresh" in form,
            lifetime=lifetime,
        )
    except DatabaseError:
        return JsonResponse({}, status=503, headers={"Retry-After": "5"})
    members = {name: getattr(issued, name) for name in ("access_token", "refresh_token", "expires_in", "scope")}
    return JsonResponse({**members, "jti": str(issued.token.pk), "sub": str(issued.token.user_id)})


urlpatterns = [path(name, view_for(view)) for name, view in VIEWS.items() if view.server is settings.SERVER]
if settings.SERVER is Server.AUTHORIZATION:
    urlpatterns += [
        path("login", login),
        path("oauth/", include("django_introspection.urls")),
        path("", include("django_introspection.well_known_urls")),
    ]
