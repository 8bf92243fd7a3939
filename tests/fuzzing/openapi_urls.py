from __future__ import annotations

from django.urls import include, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView

from tests.fuzzing import urls

documented = extend_schema(request=None, responses=dict.fromkeys((200, 400, 401, 403), OpenApiTypes.OBJECT))
Orders = type("Orders", (urls.Orders,), {"get": documented(urls.Orders.get), "post": documented(urls.Orders.post)})

urlpatterns = [
    *urls.urlpatterns[:2],
    path("oauth/", include("django_introspection.leaks.urls")),
    path("orders", Orders.as_view()),
    path("schema", SpectacularJSONAPIView.as_view()),
]
