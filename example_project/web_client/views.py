"""The pages. What the session holds: `authorization` while somebody signs in, then `token`, and the last `written`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from . import oauth, orders_api, problems


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    return redirect("orders") if "token" in request.session else render(request, "web_client/home.html")


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Send the person to the authorization server."""
    scope = "orders:read orders:write" if "write" in request.POST else "orders:read"
    authorization = oauth.AuthorizationRequest(request.build_absolute_uri(reverse("signed-in")))
    url = authorization.url(scope)
    request.session["authorization"] = asdict(authorization)
    return redirect(url)


@require_safe
@never_cache
@sensitive_variables()
def signed_in(request: HttpRequest) -> HttpResponse:
    """Take the answer of the authorization server: only of a sign-in that this session started, and only once."""
    started = request.session.get("authorization", {})
    if not started or not constant_time_compare(request.GET.get("state", ""), started["state"]):
        raise problems.not_asked_for()
    del request.session["authorization"]
    if error := request.GET.get("error"):
        raise problems.denied() if error == "access_denied" else problems.refused_by_authorization_server(error)
    # RFC 9207; of errors django-oauth-toolkit leaves it out, and nothing comes of those
    if request.GET.get("iss") != settings.AUTHORIZATION_SERVER:
        raise problems.not_asked_for()
    token = oauth.AuthorizationRequest(**started).token(request.GET.get("code", ""))
    request.session.flush()
    request.session["token"] = token
    return redirect("orders")


@never_cache
@sensitive_variables("token")
def orders(request: HttpRequest) -> HttpResponse:
    """Show what the token may do; POST tries to write."""
    token = request.session.get("token")
    if token is None:
        return redirect("home")
    if request.method == "POST":
        request.session["written"] = asdict(orders_api.write(token))
        return redirect("orders")
    facts = orders_api.about(token)
    context = {
        "facts": facts,
        "scopes": facts.get("scope", "").split(),
        "expires_at": datetime.fromtimestamp(facts["exp"], UTC) if "exp" in facts else None,
        "read": orders_api.read(token),
        "written": _last_written(request),
    }
    return render(request, "web_client/orders.html", context)


@require_POST
@sensitive_variables("token")
def sign_out(request: HttpRequest) -> HttpResponse:
    """Give the token back and forget it, also where the authorization server does not answer."""
    token = request.session.get("token")
    request.session.flush()
    if token is not None:
        oauth.revoke(token)
    return redirect("home")


def _last_written(request: HttpRequest) -> orders_api.Call | None:
    written = request.session.pop("written", None)
    return written and orders_api.Call(**written)
