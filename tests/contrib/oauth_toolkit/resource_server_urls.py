from __future__ import annotations

from django.urls import path
from oauth2_provider.models import get_access_token_model
from rest_framework.request import Request
from rest_framework.response import Response

from .views import Theirs


class Told(Theirs):
    def get(self, request: Request) -> Response:
        kept = get_access_token_model().objects.get(pk=request.auth.pk)
        expires = int(kept.expires.timestamp())
        name = request.user.username if request.user else None
        return Response({"user": name, "scope": kept.scope, "resource": kept.resource, "expires": expires})


urlpatterns = [path("theirs", Told.as_view())]
