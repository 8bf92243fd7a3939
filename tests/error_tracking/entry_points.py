"""The ways into our code by which tokens and secrets come in or are made."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.core.management import ManagementUtility
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.test import Client as Browser
from django.test.utils import override_settings
from django.urls import include, path
from rest_framework.routers import DefaultRouter

from django_introspection import aintrospect, introspect
from django_introspection.decorators import token_required
from django_introspection.forward_auth import verify
from django_introspection.models import Client, Token
from django_introspection.models.fields import uuid7
from django_introspection.personal_tokens.api import PersonalTokenViewSet
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.services import aexchange_token, aservice_token, exchange_token, service_token
from django_introspection.services.registry import services
from tests import endpoints, factories
from tests.admin import client_pages
from tests.backends import issuers
from tests.misbehaving.server import CLIENT_ID, CLIENT_SECRET, MisbehavingServer
from tests.resource_server.protected import protect
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION
from tests.urls import urlpatterns as usual_urls

OPAQUE = "-".join(["value", "of", "a", "token"])
ISSUED = "-".join(["value", "of", "an", "issued", "token"])
CSRF = "c" * 32
PROVISIONED = "-".join(["a", "secret", "that", "was", "made", "by", "the", "deployment"])
"""In pieces, because reports show lines of the source as well."""


@token_required()
def plain_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@token_required()
async def async_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def open_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def open_async_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


router = DefaultRouter()
router.register("tokens", PersonalTokenViewSet, basename="personal-token")
urlpatterns = [
    *usual_urls,
    path("plain", plain_view),
    path("async", async_view),
    path("orders", protect().as_view()),
    path("api/", include(router.urls)),
    path("verify/", verify()),
    path("protected/plain", open_view),
    path("protected/async", open_async_view),
]


@dataclass(frozen=True, repr=False)
class EntryPoint:
    """A call, and what has to be ready before each one; what it hands to the call shows nothing of itself."""

    act: Callable[[Any], Any]
    prepare: Callable[[], Any] = object
    settings: Mapping[str, Any] = field(default_factory=dict)


class Ready:
    """What a call needs, without a `repr` that would show it."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _served(request: HttpRequest) -> None:
    """Answer a request as a server of WSGI does."""
    response = get_wsgi_application()(request.environ, lambda *_: None)
    b"".join(response)
    response.close()


async def _aserved(request: Any) -> None:
    """Answer a request as a server of ASGI does."""
    communicator = ApplicationCommunicator(get_asgi_application(), request.scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    await communicator.receive_output(timeout=10)
    await communicator.wait(timeout=10)


def _get(where: str, ready: Any) -> None:
    _served(RequestFactory().get(where, headers=_bearer(ready.token)))


def _aget(where: str, ready: Any) -> None:
    async_to_sync(_aserved)(AsyncRequestFactory().get(where, headers=_bearer(ready.token)))


def _post(where: str, ready: Any) -> None:
    _served(RequestFactory().post(where, urlencode(ready.form), content_type=endpoints.FORM, headers=ready.headers))


def _opaque() -> Ready:
    return Ready(token=factories.TokenFactory().access_token)


def _caller(form: dict[str, str], *, in_body: bool) -> Ready:
    client, secret = factories.RegistrationFactory(
        grant_types=["client_credentials", "refresh_token"], resources=[AUDIENCE], introspection_policy="any"
    )
    issued = factories.TokenFactory(client=client, user=factories.UserFactory(), refresh=True)
    values = {"access": issued.access_token, "refresh": issued.refresh_token}
    form = {name: values.get(value, value) for name, value in form.items()}
    credentials = {"client_id": client.client_id, "client_secret": secret}
    headers = {} if in_body else {"Authorization": endpoints.basic(client.client_id, secret)}
    return Ready(form={**form, **(credentials if in_body else {})}, headers=headers, secret=secret)


def _forms() -> Iterator[tuple[str, EntryPoint]]:
    forms = {
        "/oauth/introspect": {"token": "access"},
        "/oauth/revoke": {"token": "access"},
        "/oauth/token": {"grant_type": "refresh_token", "refresh_token": "refresh"},
    }
    for where, form in forms.items():
        for in_body in (False, True):
            name = f"{where} by {'body' if in_body else 'header'}"
            yield name, EntryPoint(partial(_post, where), partial(_caller, form, in_body=in_body))
    machine = partial(_caller, {"grant_type": "client_credentials"}, in_body=True)
    yield "/oauth/token for a machine", EntryPoint(partial(_post, "/oauth/token"), machine)


def _admin() -> Browser:
    browser = Browser()
    browser.force_login(get_user_model().objects.get(username="root"))
    browser.cookies["csrftoken"] = CSRF
    return browser


def _debugger() -> Ready:
    client = factories.ResourceServerFactory().client
    return Ready(browser=_admin(), form={"token": _opaque().token, "backend": "default", "caller": client.client_id})


def _issue_page() -> Ready:
    client = factories.RegistrationFactory().client
    form = {"client": client.pk, "user": "", "scope": "", "audience": "", "lifetime": "", "form_id": uuid7()}
    return Ready(browser=_admin(), form=form)


def _client_page() -> Ready:
    return Ready(browser=_admin(), form=client_pages.add_form(client_id=f"client-{uuid.uuid4()}"))


def _secret_page() -> Ready:
    client = factories.RegistrationFactory().client
    return Ready(browser=_admin(), path=client_pages.page_of(client, "secret"), form=client_pages.secret_form())


def _own_tokens(**form: Any) -> Ready:
    """Return a browser in which a person is logged in who has a token, and a form of the pages about it."""
    user, browser = factories.UserFactory(), Browser()
    browser.force_login(user)
    browser.cookies["csrftoken"] = CSRF
    issued = PersonalToken.objects.issue(user, name="laptop", scope=["tokens:manage"])
    return Ready(browser=browser, token=issued.value, path=f"{issued.row.pk}/rotate/", form=form)


def _new_token_page() -> Ready:
    return _own_tokens(form_id=uuid7(), name="x", scope="orders:read", days=1)


def _send_json(where: str, ready: Any) -> None:
    _served(RequestFactory().post(where, {"name": "x"}, content_type="application/json", headers=_bearer(ready.token)))


def _verify(ready: Any) -> None:
    asked = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/"}
    _served(RequestFactory().get("/verify/", headers={**_bearer(ready.token), **asked}))


def _leaked() -> Ready:
    token = _opaque().token
    return Ready(form={"token": token}, headers={}, token=token)


def _newer_rooms() -> Iterator[tuple[str, EntryPoint]]:
    """Give the entry points of the apps beside the first one."""
    scopes = {"orders:read": None, "tokens:manage": None}
    personal = {"SCOPES": scopes, "AUDIENCE": [AUDIENCE]}
    people = {"TOKEN_INTROSPECTION": {**TOKEN_INTROSPECTION, "PERSONAL_TOKENS": personal}}
    pages = partial(_send_form, "/account/tokens/new/")
    yield "a new personal token", EntryPoint(pages, _new_token_page, people)
    rotation = partial(_own_tokens, grace="0")
    yield "a rotation", EntryPoint(lambda ready: _send_form(f"/account/tokens/{ready.path}", ready), rotation, people)
    yield "the API of personal tokens", EntryPoint(partial(_send_json, "/api/tokens/"), _own_tokens, people)
    yield (
        "a rotation by the API",
        EntryPoint(lambda ready: _send_json(f"/api/tokens/{ready.path}", ready), _own_tokens, people),
    )
    yield "forward authentication", EntryPoint(_verify, _opaque)
    yield "a leaked token", EntryPoint(partial(_post, "/oauth/leaked"), _leaked)


def _send_form(where: str, ready: Any) -> None:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in ready.browser.cookies.items())
    form = {**ready.form, "csrfmiddlewaretoken": CSRF}
    _served(RequestFactory().post(where, form, headers={"Cookie": cookies}))


def _manage(line: str, ready: Any) -> None:
    """Run a command as `manage.py` does; an error of the command itself is no error to report."""
    arguments = line.format(**vars(ready)).split()
    os.environ["SOME_VALUE"] = ready.value
    utility = ManagementUtility(["manage.py", *arguments])
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
        try:
            utility.fetch_command(arguments[0]).run_from_argv(utility.argv)
        except SystemExit as end:
            raise AssertionError(said.getvalue()) from end


def _for_command() -> Ready:
    client = factories.RegistrationFactory().client
    return Ready(value=factories.TokenFactory(client=client).access_token, client=client.client_id)


COMMANDS = (
    "introspection_client create --client-id {client}-other --secret-env SOME_VALUE --json",
    "introspection_client create --client-id {client}-another --json",
    "introspection_client rotate {client}",
    "introspection_token issue --client {client} --refresh",
    "introspection_token inspect --token-env SOME_VALUE --json",
)


@contextmanager
def entry_points() -> Iterator[dict[str, EntryPoint]]:
    """Give every entry point, its servers running."""
    get_user_model().objects.create_superuser("root", "root@example.com", "x")
    with MisbehavingServer() as server:
        issuers.publish(server, issuers.public())
        signed = issuers.access_token(server.origin)
        remote = server.settings()["BACKENDS"]["default"]
        backends = {
            **TOKEN_INTROSPECTION["BACKENDS"],
            "remote": remote,
            "cached": {**remote, "CACHE": {"MAX_AGE": 1}},
            "jwt": issuers.jwt_settings(server.origin, insecure_http=True),
        }
        values = {**TOKEN_INTROSPECTION, "BACKENDS": backends, "SERVICES": _services(server)}
        protected = {
            "MIDDLEWARE": [*settings.MIDDLEWARE, "django_introspection.middleware.ProtectedPaths"],
            "TOKEN_INTROSPECTION": {**values, "PROTECTED_PATHS": {"/protected": {}}},
        }
        opaque = partial(Ready, token=OPAQUE)
        points = {
            "introspect": EntryPoint(lambda ready: introspect(ready.token), _opaque),
            "aintrospect": EntryPoint(async_to_sync(_aintrospect_here), _opaque),
            "view": EntryPoint(partial(_get, "/orders"), _opaque),
            "token_required": EntryPoint(partial(_get, "/plain"), _opaque),
            "token_required, async": EntryPoint(partial(_aget, "/async"), _opaque),
            "middleware": EntryPoint(partial(_get, "/protected/plain"), _opaque, protected),
            "middleware, async": EntryPoint(partial(_aget, "/protected/async"), _opaque, protected),
            "debugger": EntryPoint(partial(_send_form, "/admin/introspection/token/debugger/"), _debugger),
            "issue": EntryPoint(partial(_send_form, "/admin/introspection/token/issue/"), _issue_page),
            "new client": EntryPoint(partial(_send_form, client_pages.ADD), _client_page),
            "new secret": EntryPoint(lambda ready: _send_form(ready.path, ready), _secret_page),
            "register": EntryPoint(lambda _: Client.objects.register(client_name="some", client_secret=PROVISIONED)),
            "issue()": EntryPoint(
                lambda ready: Token.objects.issue(client=ready.client, refresh=True),
                lambda: Ready(client=factories.RegistrationFactory().client),
            ),
            **dict(_calls_of_services()),
            **dict(_forms()),
            **dict(_newer_rooms()),
            **{line: EntryPoint(partial(_manage, line), _for_command) for line in COMMANDS},
        }
        for using, make in (("remote", opaque), ("cached", opaque), ("jwt", partial(Ready, token=signed))):
            points[f"introspect, {using}"] = EntryPoint(partial(_introspect, using), make)
            points[f"aintrospect, {using}"] = EntryPoint(partial(_aintrospect, using), make)
        with override_settings(TOKEN_INTROSPECTION=values, ROOT_URLCONF=__name__):
            yield points


def _services(server: MisbehavingServer) -> dict[str, Any]:
    """Return services that get tokens at this server, of their own and in exchange for another."""
    server.behave("issues tokens", at="/token", issued=[], access_token=ISSUED)
    own = {"token_url": f"{server.origin}/token", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    exchange = {**own, "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}
    return {"own": own, "exchange": exchange, "delegation": {**exchange, "actor": "own"}}


def _calls_of_services() -> Iterator[tuple[str, EntryPoint]]:
    yield "service_token", EntryPoint(lambda _: service_token("own"), _nothing_kept)
    yield "aservice_token", EntryPoint(lambda _: asyncio.run(aservice_token("own")), _nothing_kept)
    for alias in ("exchange", "delegation"):
        yield f"exchange_token, {alias}", EntryPoint(partial(_exchange, alias), _nothing_kept)
        yield f"aexchange_token, {alias}", EntryPoint(partial(_aexchange, alias), _nothing_kept)


def _nothing_kept() -> Ready:
    services.close()
    return Ready(token=OPAQUE)


def _exchange(alias: str, ready: Any) -> Any:
    return exchange_token(alias, ready.token)


def _aexchange(alias: str, ready: Any) -> Any:
    return asyncio.run(aexchange_token(alias, ready.token))


def _introspect(using: str, ready: Any) -> Any:
    return introspect(ready.token, using=using)


def _aintrospect(using: str, ready: Any) -> Any:
    return asyncio.run(aintrospect(ready.token, using=using))


async def _aintrospect_here(ready: Any) -> Any:
    return await aintrospect(ready.token)


def values_of(ready: Any) -> list[str]:
    """Return the secrets that were made ready for a call; what is made by the call is found by its prefix."""
    found = [ISSUED, CLIENT_SECRET, CLIENT_SECRET.replace(" ", "+"), PROVISIONED, OPAQUE]
    found.append(base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '+')}".encode()).decode())
    for value in (getattr(ready, "token", ""), getattr(ready, "value", "")):
        found += [part for part in value.split(".")[1:] or [value] if part]
    return found
