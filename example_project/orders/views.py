"""The same orders twice: tokens looked up in this process's database, or asked of another process."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from django_introspection.permissions import HasScope

from .models import Order
from .serializers import OrderSerializer


class LocalOrderViewSet(ModelViewSet[Order]):
    """Orders at the authorization server itself."""

    queryset = Order.objects.order_by("pk")
    serializer_class = OrderSerializer
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [HasScope]
    required_scopes = {
        "GET": ["orders:read"],
        "POST": ["orders:write"],
        "PUT": ["orders:write"],
        "PATCH": ["orders:write"],
        "DELETE": ["orders:write"],
    }

    def perform_create(self, serializer: BaseSerializer[Order]) -> None:
        serializer.save(ordered_by=self.request.auth.sub)


class RemoteOrderViewSet(LocalOrderViewSet):
    """Orders in a process that has neither clients nor tokens."""

    authentication_classes = [IntrospectionAuthentication.using("authorization_server")]


@token_required(using="authorization_server")
def token(request: HttpRequest) -> JsonResponse:
    """Tell whoever has a token what this process was told about it."""
    return JsonResponse(request.token_info.to_dict())
