"""ProtocolView: what stands before it in a project, and what happens when something breaks."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.signals import got_request_exception
from django.test import Client as Browser
from django.views.debug import ExceptionReporter

from django_introspection.authorization_server.views import introspect
from django_introspection.models import ClientSecret, Token
from tests import endpoints, factories
from tests.authorization_server.helpers import ENDPOINTS, assert_refused, without_table

FORM = {"grant_type": "client_credentials", "token": "unknown"}
METADATA = "/.well-known/oauth-authorization-server"


def test_no_middleware_of_django_stands_before_a_client(settings: Any, resource_server: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    browser = Browser(enforce_csrf_checks=True)
    headers = {"Authorization": endpoints.basic(resource_server.client.client_id, resource_server.secret)}

    response = browser.post("/oauth/introspect", "token=unknown", content_type=endpoints.FORM, headers=headers)

    assert response.json() == {"active": False}
    assert browser.get(METADATA).status_code == 200


@pytest.mark.requirement("7009-2.2.1-b")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("model", [Token, ClientSecret])
def test_a_database_that_fails_is_503_and_decides_nothing(model: Any, path: str) -> None:
    machine = factories.RegistrationFactory()
    token = factories.TokenFactory(client=machine.client).access_token

    with without_table(model):
        response = endpoints.post(path, {**FORM, "token": token}, auth=machine)

    assert_refused(response, 503, "temporarily_unavailable", token, machine.secret, "lost", "table")
    assert int(response["Retry-After"]) > 0
    assert endpoints.introspect(token, auth=machine).json()["active"] is True


@pytest.mark.django_db(transaction=True)
def test_the_log_of_a_failing_database_names_the_kind_of_error_alone(caplog: pytest.LogCaptureFixture) -> None:
    machine = factories.RegistrationFactory()

    with without_table(Token):
        endpoints.introspect("unknown-token", auth=machine)

    [record] = [record for record in caplog.records if record.name == "django_introspection"]
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert re.fullmatch(r"IntrospectView cannot answer: \w+Error", record.getMessage())


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_an_error_report_of_a_bug_hides_token_and_secret(
    monkeypatch: pytest.MonkeyPatch, user: Any, method: str
) -> None:
    def broken_rendering(answer: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(introspect, "render_response", broken_rendering)
    client, secret = factories.ResourceServerFactory(token_endpoint_auth_method=method)
    token = factories.TokenFactory(user=user).access_token
    in_body = {"client_id": client.client_id, "client_secret": secret} if method == "client_secret_post" else {}
    header = {} if in_body else {"Authorization": endpoints.basic(client.client_id, secret)}
    reports = []

    def report(request: Any, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])

    got_request_exception.connect(report)
    try:
        response = Browser(raise_request_exception=False).post(
            "/oauth/introspect", urlencode({"token": token, **in_body}), content_type=endpoints.FORM, headers=header
        )
    finally:
        got_request_exception.disconnect(report)

    assert response.status_code == 500
    assert "broken_rendering" in reports[0]
    for hidden in (token, secret, *header.values()):
        assert not [text for text in reports if hidden in text]
        assert hidden.encode() not in response.content
