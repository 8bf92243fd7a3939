"""Our endpoint and a protected view, each beside its floor: the least that a view with two look-ups can cost."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from django_introspection.models import ClientSecret, Token
from django_introspection.protocol.credentials import parse_basic
from django_introspection.protocol.opaque import digest
from tests.views import Whoami


@csrf_exempt
def floor_introspect(request: HttpRequest) -> JsonResponse:
    """Find the client and the token with the ORM and answer: no check of anything."""
    credentials = parse_basic(request.META["HTTP_AUTHORIZATION"].partition(" ")[2])
    ClientSecret.objects.select_related("client").get(
        client__client_id=credentials.client_id, digest=digest(credentials.client_secret)
    )
    token = Token.objects.select_related("client", "user").get(digest=digest(request.POST["token"]))
    return JsonResponse({"active": True, "client_id": token.client.client_id, "scope": token.scope})


def floor_whoami(request: HttpRequest) -> JsonResponse:
    """Find the token with the ORM and answer: no check of anything."""
    value = request.META["HTTP_AUTHORIZATION"].partition(" ")[2]
    token = Token.objects.select_related("client", "user").get(digest=digest(value))
    return JsonResponse({"user": str(token.user_id)})


urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("whoami", Whoami.as_view()),
    path("floor/introspect", floor_introspect),
    path("floor/whoami", floor_whoami),
]
