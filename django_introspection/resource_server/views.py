"""The protected resource metadata document (RFC 9728 §3)."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from .metadata import aliases_of, find_resource, resource_document
from .protected_views import ways_of

MAX_AGE = 3600


@require_safe
def protected_resource(request: HttpRequest, resource_path: str | None = None) -> JsonResponse:
    """Describe the resource of this path, from the configured identifiers and never from the Host of a request."""
    resource = find_resource(
        resource_path or "", request.META.get("QUERY_STRING", ""), request.META.get("HTTP_HOST", "")
    )
    if resource is None:
        return JsonResponse({"detail": "There is no such resource here."}, status=404)
    document = resource_document(resource, *ways_of(aliases_of(resource)))
    return JsonResponse(document, headers={"Cache-Control": f"public, max-age={MAX_AGE}"})


protected_resource.login_required = False  # type: ignore[attr-defined]  # how LoginRequiredMiddleware is told
