"""The three packages as one table: how each of them makes a token, finds its row, and ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.test import Client as Browser
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.authtoken.models import Token, TokenProxy
from rest_framework_api_key.models import APIKey

Way = Callable[[Any], Any]


@dataclass(frozen=True)
class Kind:
    """One package; `ways` are the endings that it or Django reports, each called with the row."""

    alias: str
    scheme: str
    model: Any
    make: Callable[[Any], str] = field(repr=False)
    ways: dict[str, Way] = field(repr=False)

    def __str__(self) -> str:
        return self.alias

    @property
    def row(self) -> Any:
        return self.model.objects.get()

    def ask(self, page: str, token: str, scheme: str | None = None) -> Any:
        """Send a request to a view as the clients of this package do."""
        return Browser().get(f"/{page}/{self.alias}", headers={"Authorization": f"{scheme or self.scheme} {token}"})


def _save(**values: Any) -> Way:
    def change(row: Any) -> None:
        for name, value in values.items():
            setattr(row, name, value() if callable(value) else value)
        row.save()

    return change


def _delete_all(model: Any) -> Way:
    return lambda row: model.objects.all().delete()


_revoke = _save(revoked=True)


def _past() -> Any:
    return timezone.now() - timedelta(seconds=1)


def _log_out(row: Any) -> None:
    from knox.views import LogoutAllView
    from rest_framework.test import APIRequestFactory, force_authenticate

    request = APIRequestFactory().post("/")
    force_authenticate(request, user=row.user, token=row)
    assert LogoutAllView.as_view()(request).status_code == 204


def _delete_in_admin(row: Any) -> None:
    """Delete the proxy that the admin of authtoken shows instead of the row."""
    admin.site.get_model_admin(TokenProxy).delete_model(HttpRequest(), TokenProxy.objects.get(key=row.key))


AUTHTOKEN = Kind(
    "authtoken",
    "Token",
    Token,
    lambda user: Token.objects.create(user=user).key,
    {
        "delete": lambda row: row.delete(),
        "queryset delete": _delete_all(Token),
        "its admin": _delete_in_admin,
        "the user is deleted": _delete_all(get_user_model()),
    },
)
KNOX = Kind(
    "knox",
    "Token",
    AuthToken,
    lambda user: AuthToken.objects.create(user)[1],
    {
        "delete": lambda row: row.delete(),
        "queryset delete": _delete_all(AuthToken),
        "the user is deleted": _delete_all(get_user_model()),
        "its expiry is moved": _save(expiry=_past),
        "its view for logging out": _log_out,
        "a row without some columns is deleted": lambda row: AuthToken.objects.only("digest").get().delete(),
        "rows without some columns are deleted": lambda row: AuthToken.objects.only("digest").delete(),
    },
)
API_KEYS = Kind(
    "api_keys",
    "Api-Key",
    APIKey,
    lambda user: APIKey.objects.create_key(name="Batch")[1],
    {
        "delete": lambda row: row.delete(),
        "queryset delete": _delete_all(APIKey),
        "it is revoked": _revoke,
        "its expiry is moved": _save(expiry_date=_past),
        "rows without some columns are deleted": lambda row: APIKey.objects.defer("expiry_date").delete(),
        "a row without some columns is revoked": lambda row: _revoke(APIKey.objects.defer("expiry_date").get()),
    },
)
KINDS = [AUTHTOKEN, KNOX, API_KEYS]
WAYS = [(kind, way) for kind in KINDS for way in kind.ways]
