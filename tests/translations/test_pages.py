"""Every page of the admin, in a language that puts messages into brackets: no English is outside of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client as Browser
from django.utils import translation

from django_introspection.admin import debugger_advice, debugger_reasons
from django_introspection.authorization_server.ending import DELETION, PASSWORD_CHANGE
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.authorization_server.rotation import REPLACED, REUSE
from django_introspection.contrib.issuers.models import TrustedIssuer
from django_introspection.models import Client, ClientSecret, Token
from django_introspection.models.fields import now, uuid7
from django_introspection.protocol.answer import Reason
from tests import endpoints, factories
from tests.admin.client_pages import add_form, change_form, page_of, secret_form
from tests.translations import pseudo

CLIENTS = "/admin/introspection/client/"
TOKENS = "/admin/introspection/token/"
ACCOUNT = "/account/apps/"
ISSUERS = "/admin/introspection_issuers/trustedissuer/"
NAME = "Заказы"
KNOWN = {
    *("UTC", "default", "urn", "America", "New", "York"),
    *("True", "False", "Search"),  # alternative texts of icons of Django
    *("RS", "PS", "ES", "EdDSA", "Ed", "RSA", "OAEP", "ECDH", "CBC", "GCM", "HS", "KW", "CBC", "HS", "GCM", "GCMKW"),
}
"""Names of settings and algorithms, which are the same in every language."""

pytestmark = pytest.mark.django_db

Look = Callable[..., Any]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: Any) -> Path:
    directory: Path = tmp_path_factory.mktemp("locale")
    pseudo.write_catalogue(directory)
    return directory


@pytest.fixture
def in_brackets(catalogue: Path, settings: Any) -> None:
    settings.LANGUAGE_CODE = pseudo.LANGUAGE
    settings.LOCALE_PATHS = [catalogue]


@pytest.fixture
def browser(db: None, in_brackets: None) -> Browser:
    browser = Browser()
    browser.force_login(factories.User.objects.create_superuser("оператор"))
    return browser


@pytest.fixture
def look(browser: Browser) -> Look:
    """Get a page, or send a form to it, and assert that all of its text is translated."""

    def at(path: str, form: dict[str, Any] | None = None, *, status: int = 200) -> Any:
        answer = browser.get(path, follow=True) if form is None else browser.post(path, form, follow=True)
        assert answer.status_code == status
        hints = set(pseudo.WORD.findall(" ".join(ClientSecret.objects.values_list("hint", flat=True))))
        assert pseudo.untranslated(answer.content.decode(), KNOWN | hints) == []
        assert pseudo.OPEN in answer.content.decode()
        return answer

    return at


@pytest.fixture
def client() -> Client:
    return factories.ResourceServerFactory(client_name=NAME, allowed_resources=["urn:x"]).client


@pytest.fixture
def issued() -> Any:
    machine = factories.RegistrationFactory(client_name=NAME).client
    return factories.TokenFactory(client=machine, user=factories.UserFactory(username="алиса"), refresh=True)


def test_what_is_not_marked_is_found() -> None:
    page = "<p>⟦Shown ⟧Alice⟦ here⟧</p><p title='Hint'>⟦This <code>x</code> is⟧</p> <code>code</code>"

    assert pseudo.untranslated(page, set()) == ["Alice", "Hint"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/introspection/", CLIENTS, f"{CLIENTS}add/", TOKENS, ISSUERS])
def test_pages_of_an_empty_project(look: Look, path: str) -> None:
    look(path)


def test_the_list_of_clients(look: Look, client: Client) -> None:
    factories.RegistrationFactory(client_name=NAME)
    other = factories.RegistrationFactory(client_name=NAME).client
    ClientSecret.objects.filter(client=other).update(expires_at=now() + timedelta(days=3))
    Client.objects.filter(pk=factories.RegistrationFactory(client_name=NAME).client.pk).update(
        token_endpoint_auth_method="private_key_jwt", grant_types=[]
    )
    expired = factories.RegistrationFactory(client_name=NAME).client
    ClientSecret.objects.filter(client=expired).update(expires_at=now())
    ClientSecret.objects.filter(client=client).update(last_used_at=now())
    look(CLIENTS)
    look(f"{CLIENTS}?q=missing")
    look(f"{CLIENTS}?purpose=none&secrets=soon")


def test_a_new_client(look: Look, client: Client) -> None:
    form = add_form("both", client_name=NAME, client_id="")
    look(f"{CLIENTS}add/", form)
    look(f"{CLIENTS}add/", form)


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "resource-server", "resources": ""},
        {"form_id": "x"},
        {"client_id": "a b"},
        {"client_id": "123"},
        {"scope": 'a"'},
        {"allowed_resources": "1"},
        {"allowed_resources": "urn:1#2"},
        {"allowed_resources": "urn:" + "a" * 2000},
        {"jwks_uri": "https://a:b@c.example"},
        {"jwks_uri": "http://c.example"},
        {"jwks_uri": "nowhere"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
        {"token_endpoint_auth_method": "elsewhere"},
        {"certificate_thumbprints": "x"},
        *(
            {"token_endpoint_auth_method": "tls_client_auth", "certificate_name_kind": kind, "certificate_name": "="}
            for kind in ("tls_client_auth_subject_dn", "tls_client_auth_san_ip")
        ),
    ],
    ids=str,
)
def test_errors_of_the_form_for_a_new_client(look: Look, wrong: dict[str, str]) -> None:
    answer = look(f"{CLIENTS}add/", add_form("both", client_name=NAME) | wrong)

    assert answer.context["errors"]


def test_the_page_of_a_client(look: Look, client: Client) -> None:
    look(page_of(client))
    ClientSecret.objects.update(expires_at=now() + timedelta(days=3), last_used_at=now())
    look(page_of(client))
    look(page_of(client, "secret"), secret_form(lifetime=str(30 * 24 * 60 * 60)))
    look(page_of(client))
    ClientSecret.objects.update(expires_at=now())
    look(page_of(client))
    Client.objects.update(token_endpoint_auth_method="private_key_jwt", is_active=False)
    look(page_of(client))
    look(page_of(client, "secret"))
    ClientSecret.objects.all().delete()
    look(page_of(client))


@pytest.mark.parametrize(
    "wrong",
    [
        {"seen": "other"},
        {"introspection_policy": "audience", "resources": ""},
        {"access_token_format": "jwt"},
        {"introspection_signed_response_alg": "RS256"},
        {"introspection_encrypted_response_alg": "RSA-OAEP-256"},
        {"introspection_encrypted_response_enc": "A128GCM"},
        {"authorization_details_types": "x"},
        {"grant_types": "x"},
    ],
    ids=str,
)
def test_errors_of_the_form_of_a_client(look: Look, client: Client, wrong: dict[str, str], settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": []}
    answer = look(page_of(client), change_form(client, **wrong))

    assert answer.context["errors"]


def test_the_secrets_of_a_client(look: Look, client: Client) -> None:
    look(page_of(client, "secret"))
    form = secret_form()
    look(page_of(client, "secret"), form)
    look(page_of(client, "secret"), form)
    first, second = ClientSecret.objects.order_by("pk")
    look(page_of(client, f"secret/{first.pk}/retire"))
    ClientSecret.objects.filter(pk=second.pk).update(last_used_at=now())
    look(page_of(client, f"secret/{first.pk}/retire"))
    look(page_of(client, f"secret/{first.pk}/retire"), {})
    look(page_of(client, f"secret/{first.pk}/retire"), {})
    look(page_of(client, f"secret/{second.pk}/retire"))
    look(page_of(client, "history"))


def test_the_end_of_a_client(look: Look, client: Client) -> None:
    factories.TokenFactory(client=client, refresh=True)
    for active in ("0", "1"):
        look(page_of(client, "activity"))
        look(page_of(client, "activity"), {"is_active": active})
    look(page_of(client, "revoke"))
    look(page_of(client, "delete"))
    look(page_of(client, "revoke"), {})
    look(page_of(client, "history"))
    factories.TokenFactory(client=client, user=factories.UserFactory(username="алиса"))
    look(CLIENTS, {"action": "delete_selected", ACTION_CHECKBOX_NAME: client.pk})
    look(page_of(client, "delete"), {"post": "yes"})
    look(page_of(client, "revoke"))


@pytest.mark.parametrize("action", ["enable_clients", "disable_clients"])
def test_actions_on_clients(look: Look, client: Client, action: str) -> None:
    for active in (True, False):
        Client.objects.update(is_active=active)
        for confirmed in ({}, {"confirmed": "yes"}):
            look(CLIENTS, {"action": action, ACTION_CHECKBOX_NAME: client.pk, **confirmed})


def test_a_cache_of_revocations_that_is_away(look: Look, issued: Any, settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "away": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {"ALIAS": "away"}}
    look(f"{TOKENS}{issued.token.pk}/revoke/", {"token": ""})
    look(f"{TOKENS}{issued.token.pk}/delete/")
    look(f"{TOKENS}{issued.token.pk}/delete/", {"post": "yes"})
    look(page_of(issued.token.client, "activity"), {"is_active": "0"})


def test_the_list_of_tokens(look: Look, issued: Any) -> None:
    factories.TokenFactory(client=issued.token.client, lifetime=timedelta(seconds=1))
    look(TOKENS)
    look(f"{TOKENS}?q=missing")
    look(f"{TOKENS}?client=missing&user=missing")
    look(f"{TOKENS}?user={issued.token.user.pk}")
    for period in (now().strftime(form) for form in ("%Y", "%Y-%m", "%Y-%m-%d")):
        look(f"{TOKENS}?issued={period}")


def test_the_page_of_a_token(look: Look, issued: Any) -> None:
    path = f"{TOKENS}{issued.token.pk}"
    look(f"{path}/change/")
    look(f"{path}/revoke/")
    look(f"{path}/revoke/", {"token": ""})
    look(f"{path}/revoke/")
    look(f"{path}/revoke/", {"token": ""})
    look(f"{path}/history/")
    look(f"{path}/delete/")
    look(f"{TOKENS}{Token.objects.get(kind='refresh').pk}/revoke/")
    look(f"{TOKENS}{uuid7()}/revoke/")


def test_a_token_of_a_client_alone_is_revoked(look: Look) -> None:
    machine = factories.RegistrationFactory(client_name=NAME).client
    token = factories.TokenFactory(client=machine).token
    look(f"{TOKENS}{token.pk}/revoke/")
    look(TOKENS, {"action": "revoke_tokens", ACTION_CHECKBOX_NAME: token.pk})


@pytest.mark.parametrize(
    "who", ["operator оператор", "client икс", "user алиса", "икс", DELETION, PASSWORD_CHANGE, REPLACED, REUSE, ""]
)
def test_who_revoked_a_token(look: Look, issued: Any, who: str) -> None:
    for rotated in (None, now()):
        Token.objects.update(revoked_at=now(), revoked_by=who, rotated_at=rotated)
        look(f"{TOKENS}{issued.token.pk}/change/")


def test_actions_on_tokens(look: Look, issued: Any, monkeypatch: Any) -> None:
    keys = list(Token.objects.values_list("pk", flat=True))
    look(TOKENS, {"action": "revoke_tokens", ACTION_CHECKBOX_NAME: keys})
    look(TOKENS, {"action": "revoke_tokens", ACTION_CHECKBOX_NAME: [*keys, uuid7()], "confirmed": "yes"})
    monkeypatch.setattr("django_introspection.admin.token_revoking.MAX_SELECTED", 1)
    look(TOKENS, {"action": "revoke_tokens", ACTION_CHECKBOX_NAME: keys})


def test_the_tokens_of_a_user(look: Look, issued: Any) -> None:
    user = issued.token.user
    look(f"{TOKENS}user/{user.pk}/revoke/")
    look(f"/admin/auth/user/{user.pk}/delete/")
    look("/admin/auth/user/", {"action": "delete_selected", ACTION_CHECKBOX_NAME: user.pk})
    look(f"{TOKENS}user/{user.pk}/revoke/", {})
    look(f"{TOKENS}user/999/revoke/", {})
    look(f"/admin/auth/user/{user.pk}/change/")


@pytest.mark.parametrize(
    "wrong", [{}, {"scope": 'a"'}, {"audience": "1"}, {"lifetime": "0"}, {"client": "999"}, {"form_id": "x"}]
)
def test_issuing_a_token(look: Look, issued: Any, wrong: dict[str, str]) -> None:
    look(f"{TOKENS}issue/")
    form = {"form_id": uuid7(), "client": issued.token.client.pk, "user": issued.token.user.pk, "scope": "", **wrong}
    look(f"{TOKENS}issue/", form)
    if not wrong:
        look(f"{TOKENS}issue/", form, status=409)
    Client.objects.update(is_active=False)
    factories.User.objects.filter(pk=issued.token.user.pk).update(is_active=False)
    look(f"{TOKENS}issue/", form | {"form_id": uuid7()})


def test_the_limits_of_an_operator(look: Look, browser: Browser, issued: Any) -> None:
    from django.contrib.auth.models import Permission

    staff = factories.User.objects.create_user("служащий", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="issue_token"))
    privileged = factories.User.objects.create_superuser("директор")
    browser.force_login(staff)
    form = {"form_id": uuid7(), "client": issued.token.client.client_id, "user": privileged.username}
    look(f"{TOKENS}issue/", form | {"scope": "other", "audience": "urn:x", "lifetime": 999_999})
    look(f"{TOKENS}issue/", form | {"client": "nobody", "user": "nobody"})
    look(f"{TOKENS}debugger/", status=403)


@pytest.mark.parametrize(
    "token", ["", "x", "dit_at_x", "dit_cs_x", "a.b.c", "x" * 20_000, "Bearer x", "eyJhbGciOiJSUzI1NiJ9.e30.x"]
)
def test_the_debugger(look: Look, client: Client, token: str) -> None:
    look(f"{TOKENS}debugger/")
    look(f"{TOKENS}debugger/", {"token": token, "backend": "default", "scope": 'a"', "caller": "nobody"})
    look(f"{TOKENS}debugger/", {"token": token, "backend": "default", "caller": client.client_id})


def test_verdicts_of_the_debugger(look: Look, client: Client, issued: Any) -> None:
    form = {"token": issued.access_token, "backend": "default", "caller": client.client_id}
    look(f"{TOKENS}debugger/", form)
    look(f"{TOKENS}debugger/", form | {"scope": "other"})
    look(f"{TOKENS}debugger/", form | {"token": issued.refresh_token})
    Client.objects.filter(pk=client.pk).update(is_active=False)
    look(f"{TOKENS}debugger/", form)
    Client.objects.filter(pk=client.pk).update(is_active=True, introspection_policy="none")
    look(f"{TOKENS}debugger/", form)
    revoke_token(issued.token, by=issued.token.client)
    Token.objects.update(revoked_by="")
    look(f"{TOKENS}debugger/", form)


@pytest.mark.usefixtures("in_brackets")
def test_every_reason_and_every_advice_is_translated() -> None:
    translation.activate(pseudo.LANGUAGE)
    texts = [text for each in debugger_advice.REASONS.values() for text in (each.why, each.do)]

    assert set(debugger_reasons.NAMES) >= set(Reason)
    assert [str(text) for text in [*texts, *debugger_reasons.NAMES.values()] if pseudo.OPEN not in str(text)] == []


def test_a_reason_is_called_in_english_as_in_the_log() -> None:
    assert {reason: str(debugger_reasons.reason_name(reason)) for reason in Reason} == {each: each for each in Reason}


def test_the_overview(look: Look, issued: Any, settings: Any) -> None:
    look(f"{TOKENS}overview/")
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "COUNTERS": {}}
    endpoints.introspect("unknown", auth=endpoints.basic("nobody", "x" * 40))
    look(f"{TOKENS}overview/")
    settings.CACHES = {**settings.CACHES, "away": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "COUNTERS": {"ALIAS": "away"}}
    look(f"{TOKENS}overview/")


@pytest.mark.parametrize(
    "wrong",
    [{}, {"issuer": "nowhere"}, {"issuer": "https://a.example?b"}, {"issuer": "https://ID.example"}],
    ids=str,
)
def test_trusted_issuers(look: Look, wrong: dict[str, str]) -> None:
    row = TrustedIssuer.objects.create(issuer="https://id.example", options={"audience": "urn:x"})
    look(f"{ISSUERS}add/")
    look(f"{ISSUERS}{row.pk}/change/")
    form = {"issuer": "https://new.example", "backend": "jwt", "options": '{"audience": "urn:x"}', "is_active": "on"}
    look(f"{ISSUERS}add/", form | wrong)
    look(ISSUERS)


def test_the_pages_on_which_people_revoke_access(look: Look, settings: Any) -> None:
    settings.TIME_ZONE = "UTC"
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "RESOURCES": {"urn:x": {"NAME": NAME}},
        "AUTHORIZATION_DETAILS_TYPES": {NAME: None},
    }
    user, pages = factories.User.objects.get(), "/account/apps/"
    look(pages)
    app = factories.RegistrationFactory(client_name=NAME, client_id="1-1").client
    other = factories.RegistrationFactory(client_name=NAME, client_id="2-2").client
    grant = {"user": user, "scope": "", "audience": ["urn:x"], "authorization_details": [{"type": NAME}]}
    later = factories.TokenFactory(client=app, **grant, not_before=now() + timedelta(minutes=9)).token
    first = factories.TokenFactory(client=app, **grant, refresh=True).token
    factories.TokenFactory(client=other, **grant)
    Token.objects.create(
        digest=b"1" * 32,
        kind="access",
        client=other,
        user=user,
        grant_id=first.grant_id,
        predecessor=first,
        expires_at=first.expires_at,
    )
    look(pages)
    for address in (f"grants/{later.grant_id}/", f"grants/{first.grant_id}/", f"apps/{app.pk}/", ""):
        look(f"{pages}{address}revoke/")
        look(f"{pages}{address}revoke/", {})
        look(f"{pages}{address}revoke/", {})


def test_self_service(look: Look, browser: Browser, issued: Any) -> None:
    browser.force_login(issued.token.user)
    other = factories.TokenFactory(client=issued.token.client, user=issued.token.user).token
    factories.TokenFactory(client=factories.RegistrationFactory(client_name=NAME).client, user=issued.token.user)
    grant, app, every = (
        f"{ACCOUNT}{page}revoke/" for page in (f"grants/{other.grant_id}/", f"apps/{other.client_id}/", "")
    )
    for page in (ACCOUNT, grant, app, every):
        look(page)
    for page in (grant, grant, app, app, every, every):
        look(page, {})


def test_pages_of_self_service(look: Look, browser: Browser, issued: Any) -> None:
    browser.force_login(issued.token.user)
    for _ in range(21):
        factories.TokenFactory(client=issued.token.client, user=issued.token.user)
    look(f"{ACCOUNT}?page=2")


def test_self_service_without_the_cache_of_revocations(
    look: Look, browser: Browser, issued: Any, settings: Any
) -> None:
    browser.force_login(issued.token.user)
    settings.CACHES = {**settings.CACHES, "away": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {"ALIAS": "away"}}
    look(f"{ACCOUNT}revoke/", {})
