from __future__ import annotations

from django.urls import include, path

from tests.contrib.project_tokens import views

urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("", include("django_introspection.well_known_urls")),
    path("before/authtoken", views.BeforeAuthtoken.as_view()),
    path("before/knox", views.BeforeKnox.as_view()),
    path("before/api_keys", views.BeforeAPIKeys.as_view()),
    *(
        path(f"after/{alias}", views.After.as_view(authentication_classes=[authentication.using(alias)]))
        for alias, authentication in [
            ("authtoken", views.TokenOrBearer),
            ("knox", views.TokenOrBearer),
            ("api_keys", views.APIKeyOrBearer),
        ]
    ),
]
