"""One process speaks each reader's language on pages, and English to programs, to logs and on the command line."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import translation

from django_introspection.admin.history import ENABLED, RETIRED_SECRET, in_words
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.checks import TAG
from tests import endpoints, factories
from tests.settings import MIDDLEWARE
from tests.translations.catalogues import LANGUAGES

pytestmark = pytest.mark.django_db

LIST = "/admin/introspection/client/"
TITLES = {
    "en": "Select client to change",
    "de": "Client",
    "es": "cliente",
    "fr": "client",
    "ja": "クライアント",
    "pt-br": "cliente",
    "zh-hans": "客户端",
}
PURPOSE = {
    "en": "resource server",
    "de": "Resource-Server",
    "es": "servidor de recursos",
    "fr": "serveur de ressources",
    "ja": "リソースサーバー",
    "pt-br": "servidor de recursos",
    "zh-hans": "资源服务器",
}


@pytest.fixture
def many_languages(settings: Any) -> None:
    settings.MIDDLEWARE = [*MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]


@pytest.mark.usefixtures("many_languages")
def test_each_request_is_answered_in_its_own_language(rf: Any) -> None:
    factories.ResourceServerFactory()
    browser = Browser()
    browser.force_login(factories.User.objects.create_superuser("root"))
    for language in [*PURPOSE, *reversed(PURPOSE)]:
        page = browser.get(LIST, headers={"accept-language": language}).content.decode()

        assert f'<td class="field-purpose">{PURPOSE[language]}</td>' in page
        assert TITLES[language] in page


def test_what_programs_read_is_english(settings: Any) -> None:
    factories.ResourceServerFactory()

    def answers() -> list[Any]:
        machine = factories.RegistrationFactory(client_id="machine")
        token = factories.TokenFactory(client=machine.client)
        revoke_token(token.token, by=None)
        browser = Browser()
        found = [
            browser.get("/whoami"),
            browser.get("/whoami", headers={"authorization": f"Bearer {token.access_token}"}),
            browser.get("/whoami", headers={"authorization": "Bearer a b"}),
            endpoints.introspect("x", auth=endpoints.basic("nobody", "x" * 40)),
            endpoints.introspect("", auth=machine),
            browser.post("/oauth/token", {"grant_type": "other"}),
        ]
        machine.client.delete()
        return [(each.status_code, each.content, each.headers.get("WWW-Authenticate")) for each in found]

    english = answers()
    for language in ("de", "ja"):
        settings.LANGUAGE_CODE = language
        translation.activate(language)

        assert answers() == english


@pytest.mark.parametrize("language", ["en", "de", "zh-hans"])
def test_commands_and_checks_are_english(language: str, settings: Any) -> None:
    settings.LANGUAGE_CODE = language
    settings.TOKEN_INTROSPECTION = {"ISSUER": "nowhere"}
    with translation.override(language):
        messages = [message.msg for message in checks.run_checks(tags=[TAG])]
        with pytest.raises(CommandError, match=r"resources: no-uri must be an absolute URI\."):
            call_command("introspection_client", "create", "--client-id", "api", "--resource", "no-uri")

    assert any("must be an https URL" in message for message in messages)


def test_the_history_is_stored_in_english_and_read_in_any_language() -> None:
    with translation.override("de"):
        assert in_words(ENABLED) == "Aktiviert."
        assert in_words(RETIRED_SECRET % {"moment": "2026-01-31 10:00:00"}) == (
            "Das am 2026-01-31 10:00:00 UTC erstellte Secret stillgelegt."
        )
        assert in_words("Changed by a script.") == "Changed by a script."


def test_every_language_is_one_of_django() -> None:
    assert all(translation.check_for_language(translation.to_language(language)) for language in LANGUAGES)
