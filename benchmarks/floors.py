"""The least that an introspection endpoint can cost: the look-ups of a client and a token, and hardly a check."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.parsers import FormParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import FloorClient, FloorToken

INACTIVE = {"active": False}
CLIENT = "SELECT secret_digest FROM benchmarks_floorclient WHERE client_id = %s"
TOKEN = (
    "SELECT t.scope, t.issued_at, t.expires_at, t.revoked_at, t.user_id, c.client_id, u.username"
    " FROM benchmarks_floortoken t JOIN benchmarks_floorclient c ON c.id = t.client_id"
    " LEFT JOIN auth_user u ON u.id = t.user_id WHERE t.digest = %s"
)


def sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def basic(request: HttpRequest) -> tuple[str, str]:
    client_id, _, secret = (
        base64.b64decode(request.META["HTTP_AUTHORIZATION"].partition(" ")[2]).decode().partition(":")
    )
    return client_id, secret


@csrf_exempt
def introspect(request: HttpRequest) -> JsonResponse:
    """Introspect with two ORM look-ups in a plain view."""
    client_id, secret = basic(request)
    client = FloorClient.objects.filter(client_id=client_id).first()
    if client is None or not hmac.compare_digest(sha256(secret), client.secret_digest):
        return JsonResponse({"error": "invalid_client"}, status=401)
    return JsonResponse(members_by_orm(request.POST["token"]))


class IntrospectSQL(APIView):
    """Introspect with hand-written SQL in a DRF view."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    parser_classes = [FormParser]
    renderer_classes = [JSONRenderer]

    def post(self, request: Request) -> Response:
        client_id, secret = basic(request._request)
        with connection.cursor() as cursor:
            cursor.execute(CLIENT, [client_id])
            row = cursor.fetchone()
        if row is None or not hmac.compare_digest(sha256(secret), row[0]):
            return Response({"error": "invalid_client"}, status=401)
        return Response(members_by_sql(request.data["token"]))


def members_by_orm(value: str) -> dict[str, Any]:
    token = FloorToken.objects.select_related("client", "user").filter(digest=sha256(value)).first()
    if token is None or token.revoked_at is not None or token.expires_at.timestamp() <= time.time():
        return INACTIVE
    return _members(
        token.scope, token.issued_at, token.expires_at, token.user_id, token.client.client_id, token.user.username
    )


def members_by_sql(value: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(TOKEN, [sha256(value)])
        row = cursor.fetchone()
    if row is None or row[3] is not None or row[2].timestamp() <= time.time():
        return INACTIVE
    return _members(row[0], row[1], row[2], *row[4:])


def _members(  # noqa: PLR0917 - the columns of a row
    scope: str, issued: Any, expires: Any, user_id: Any, client_id: str, username: str
) -> dict[str, Any]:
    return {
        "active": True,
        "scope": scope,
        "client_id": client_id,
        "username": username,
        "token_type": "Bearer",
        "exp": int(expires.timestamp()),
        "iat": int(issued.timestamp()),
        "sub": str(user_id),
    }
