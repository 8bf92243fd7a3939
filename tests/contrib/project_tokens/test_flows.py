"""Tokens that each package made, at its own view and at ours, at the endpoint, and beside tokens of ours."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model, hashers
from django.core import checks
from django.core.cache import caches
from django.db import DatabaseError, connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.settings import knox_settings
from rest_framework_api_key.models import APIKeyManager, BaseAPIKeyManager

from django_introspection import introspect, token_backends
from django_introspection.contrib import authtoken, hashed_secrets, hashing_turns, project_tokens
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.models import IntrospectionPolicy
from tests import caches as test_caches
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive
from tests.settings import AUDIENCE, ISSUER

from .kinds import API_KEYS, AUTHTOKEN, KINDS, KNOX, Kind
from .settings import TOKEN_INTROSPECTION

each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@each_kind
def test_a_token_opens_the_view_before_and_after_with_the_same_header(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)

    before, after, bearer = kind.ask("before", token), kind.ask("after", token), kind.ask("after", token, "Bearer")

    assert (before.status_code, after.status_code, bearer.status_code) == (200, 200, 200)
    if kind is not API_KEYS:
        assert before.json()["user"] == after.json()["user"] == "ada"


@each_kind
@pytest.mark.parametrize("change", ["cut", "case", "longer", "unknown"])
def test_another_value_opens_neither_view(kind: Kind, change: str, ada: Any) -> None:
    token = kind.make(ada)
    other = {"cut": token[:-1], "case": token.swapcase(), "longer": f"{token}0", "unknown": "0" * 40}[change]

    if change != "case":  # a collation of MariaDB lets the class of authtoken ignore case
        assert kind.ask("before", other).status_code in (401, 403)
    response = kind.ask("after", other)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith(f'{kind.scheme} realm="api", error="invalid_token"')


@each_kind
def test_without_a_token_the_challenge_names_both_schemes(kind: Kind, db: None) -> None:
    response = Browser().get(f"/after/{kind.alias}")

    assert response.status_code == 401
    schemes = re.findall(r'([\w-]+) realm="api", scope="orders:read"', response["WWW-Authenticate"])
    assert schemes == [kind.scheme, "Bearer"]


@each_kind
def test_a_scheme_that_a_view_does_not_declare_is_not_read(kind: Kind, ada: Any) -> None:
    other = "Token" if kind is API_KEYS else "Api-Key"

    assert kind.ask("after", kind.make(ada), other).status_code == 401


@each_kind
def test_the_answer_names_the_user_and_what_the_settings_say(kind: Kind, ada: Any) -> None:
    before = int(time.time())
    caller = factories.ResourceServerFactory()

    members = endpoints.introspect(kind.make(ada), auth=caller).json()

    assert before <= members.pop("iat") <= time.time()
    if kind is KNOX:
        assert 35_000 < members.pop("exp") - time.time() <= 36_000
    assert members.pop("active") is True
    if kind is API_KEYS:
        prefix = kind.row.prefix
        assert (members.pop("client_id"), members.pop("sub")) == (f"api_key:{prefix}", f"api_key:{prefix}")
    else:
        assert (members.pop("username"), members.pop("sub")) == ("ada", str(ada.pk))
    assert members == {"scope": "orders:read", "token_type": "Bearer", "iss": ISSUER, "aud": [AUDIENCE]}


@each_kind
@pytest.mark.parametrize(
    ("policy", "resources", "sees"),
    [
        (IntrospectionPolicy.OWN, [AUDIENCE], False),
        (IntrospectionPolicy.AUDIENCE, [AUDIENCE], True),
        (IntrospectionPolicy.AUDIENCE, ["https://api.example.com/other"], False),
        (IntrospectionPolicy.ANY, [AUDIENCE], True),
    ],
)
def test_the_policy_decides_who_introspects_tokens_without_a_client(
    kind: Kind, policy: str, resources: list[str], sees: bool, ada: Any
) -> None:
    caller = factories.ResourceServerFactory(introspection_policy=policy, resources=resources)

    response = endpoints.introspect(kind.make(ada), auth=caller)

    if sees:
        assert response.json()["active"] is True
    else:
        assert_inactive(response)


@each_kind
def test_a_backend_without_an_audience_is_seen_by_the_policy_any_alone(kind: Kind, ada: Any, configured: Any) -> None:
    entry = entry_of(kind, audience=None)
    configured(BACKENDS={"default": entry})
    token = kind.make(ada)

    assert_inactive(endpoints.introspect(token, auth=factories.ResourceServerFactory()))
    gateway = factories.ResourceServerFactory(introspection_policy=IntrospectionPolicy.ANY)
    assert "aud" not in endpoints.introspect(token, auth=gateway).json()
    assert introspect(token)


def entry_of(kind: Kind, **options: Any) -> dict[str, Any]:
    return {"BACKEND": TOKEN_INTROSPECTION["BACKENDS"][kind.alias]["BACKEND"], "OPTIONS": options}


@each_kind
def test_the_scope_is_that_of_the_option_and_nothing_without_it(kind: Kind, ada: Any, configured: Any) -> None:
    token = kind.make(ada)
    configured(BACKENDS={kind.alias: entry_of(kind, audience=AUDIENCE)}, INTROSPECTION_BACKEND=None)

    assert kind.ask("after", token).status_code == 403
    for wrong in ("a  b", 'a"', 7):
        configured(BACKENDS={"wrong": entry_of(kind, scope=wrong)})
        with pytest.raises(InvalidBackend, match="OPTIONS'\\]\\['scope'\\]"):
            token_backends["wrong"]


@each_kind
def test_a_local_view_takes_one_statement(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)
    kind.ask("after", token)

    with CaptureQueriesContext(connection) as captured:
        assert kind.ask("after", token).status_code == 200
    assert len(captured) == 1


@each_kind
def test_a_malformed_value_takes_no_statement(kind: Kind, db: None, django_assert_num_queries: Any) -> None:
    backend = token_backends[kind.alias]
    values = ["", "a\x00b"]
    values += {"authtoken": ["0" * 41], "api_keys": ["0" * 40, "0" * 9 + ".x", ".x"]}.get(kind.alias, [])

    with django_assert_num_queries(0):
        assert not any(backend.introspect(value) for value in values)


@pytest.mark.parametrize("kind", [AUTHTOKEN, KNOX], ids=str)
def test_the_token_of_a_disabled_user_is_inactive(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)
    get_user_model().objects.update(is_active=False)

    assert introspect(token, using=kind.alias) is None
    assert kind.ask("before", token).status_code == kind.ask("after", token).status_code == 401


@pytest.mark.parametrize("kind", [KNOX, API_KEYS], ids=str)
def test_an_expired_token_is_inactive(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)
    if kind is API_KEYS:
        kind.model.objects.update(expiry_date=timezone.now() + timedelta(hours=10))

    with time_machine.travel(timezone.now() + timedelta(hours=11)):
        assert introspect(token, using=kind.alias) is None
        assert kind.model.objects.count() == 1, "asking deletes nothing"


def test_a_revoked_api_key_is_inactive(ada: Any) -> None:
    key = API_KEYS.make(ada)
    API_KEYS.model.objects.update(revoked=True)

    assert introspect(key, using="api_keys") is None
    assert API_KEYS.ask("before", key).status_code == 403


@pytest.mark.parametrize("rule", ["get_usable_keys", "is_valid", "get_from_key"])
def test_a_rule_of_the_project_about_api_keys_decides(
    ada: Any, configured: Any, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    key, other = API_KEYS.make(ada), API_KEYS.model.objects.create_key(name="closed")[1]

    def without_closed(self: Any, *arguments: Any) -> Any:
        answer = getattr(BaseAPIKeyManager, rule)(self, *arguments)
        if rule == "get_usable_keys":
            return answer.exclude(name="closed")
        if rule == "is_valid":
            return answer and BaseAPIKeyManager.get_from_key(self, *arguments).name != "closed"
        if answer.name == "closed":
            raise self.model.DoesNotExist
        return answer

    monkeypatch.setattr(APIKeyManager, rule, without_closed)
    configured()

    assert [API_KEYS.model.objects.is_valid(value) for value in (key, other)] == [True, False]
    assert introspect(key, using="api_keys")
    assert introspect(other, using="api_keys") is None


def test_a_rule_of_the_project_about_the_expiry_of_keys_decides(
    ada: Any, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = API_KEYS.make(ada)
    monkeypatch.setattr(API_KEYS.model, "has_expired", property(lambda self: True))
    configured()

    assert not API_KEYS.model.objects.is_valid(key)
    assert introspect(key, using="api_keys") is None


def test_knox_renews_no_token_of_a_disabled_user(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knox_settings, "AUTO_REFRESH", True)
    token, before = KNOX.make(ada), KNOX.row.expiry
    get_user_model().objects.update(is_active=False)

    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert introspect(token, using="knox") is None

    assert KNOX.row.expiry == before


def test_a_token_without_an_expiry_is_named_longer_than_an_answer_is_kept() -> None:
    """MAX_AGE and STALE_IF_ERROR are a day at most."""
    assert timedelta(days=2) < project_tokens.WITHOUT_EXPIRY


def test_knox_renews_a_token_as_its_own_class_does(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knox_settings, "AUTO_REFRESH", True)
    token = KNOX.make(ada)
    first = KNOX.row.expiry

    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert introspect(token, using="knox")
    assert KNOX.row.expiry - first > timedelta(minutes=59)


def test_a_knox_token_without_an_expiry_has_no_exp(ada: Any) -> None:
    token = KNOX.model.objects.create(ada, expiry=None)[1]

    info = introspect(token, using="knox")

    assert info is not None
    assert info.expires_at is None


def test_an_old_password_hash_of_an_api_key_is_hashed_once_and_upgraded(ada: Any) -> None:
    key = API_KEYS.make(ada)
    old = hashers.make_password(key)
    API_KEYS.model.objects.update(hashed_key=old)

    assert introspect(f"{key}x", using="api_keys") is None
    assert API_KEYS.row.hashed_key == old
    assert introspect(key, using="api_keys")
    assert API_KEYS.row.hashed_key.startswith("sha512$$")
    assert introspect(key, using="api_keys")
    assert API_KEYS.ask("before", key).status_code == 200


def test_strangers_who_know_a_prefix_get_few_hashes(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = API_KEYS.make(ada)
    API_KEYS.model.objects.update(hashed_key=hashers.make_password(key))
    prefix = key.partition(".")[0]
    hashed: list[str] = []
    monkeypatch.setattr(hashed_secrets, "check_password", lambda given, stored: hashed.append(given))

    for number in range(10):
        assert introspect(f"{prefix}.{number}", using="api_keys") is None
    introspect(f"{prefix}.own turn", using="api_keys")
    for number in range(20):
        with pytest.raises(IntrospectionUnavailable) as raised:
            introspect(f"{prefix}.more {number}", using="api_keys")
        assert raised.value.retry_after > 0
    assert len(hashed) == 11


def test_a_key_that_finds_no_turn_to_be_hashed_is_not_judged(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = API_KEYS.make(ada)
    API_KEYS.model.objects.update(hashed_key=hashers.make_password(key))
    monkeypatch.setattr(hashing_turns, "PATIENCE", 0)
    monkeypatch.setattr(hashing_turns, "BoundedSemaphore", lambda number: BoundedSemaphore(0))

    with pytest.raises(IntrospectionUnavailable):
        introspect(key, using="api_keys")


def test_a_manager_of_the_project_is_asked_like_any_other(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authtoken, "whole_rows_by", lambda *arguments: None)

    assert introspect(AUTHTOKEN.make(ada), using="authtoken")
    assert introspect("0" * 40, using="authtoken") is None


def test_without_the_app_of_the_tokens_the_backend_is_refused(configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AUTHTOKEN.model._meta, "abstract", True)  # as Django REST framework declares it then
    configured()

    with pytest.raises(InvalidBackend, match=r"needs 'rest_framework.authtoken' in INSTALLED_APPS"):
        token_backends["authtoken"]


def test_another_model_of_keys_is_an_option(configured: Any) -> None:
    entry = entry_of(API_KEYS, model="auth.User")
    configured(BACKENDS={"wrong": entry, "missing": entry_of(API_KEYS, model="shop.Key")})
    for alias in ("wrong", "missing"):
        with pytest.raises(InvalidBackend, match="'model'"):
            token_backends[alias]


@each_kind
def test_without_the_database_the_answer_is_503(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)

    def fail(execute: Any, sql: str, *arguments: Any) -> Any:
        raise DatabaseError(f"no answer to {sql}")

    with connection.execute_wrapper(fail), pytest.raises(IntrospectionUnavailable) as raised:
        token_backends[kind.alias].introspect(token)
    assert token not in str(raised.value)
    with connection.execute_wrapper(fail):
        assert kind.ask("after", token).status_code == 503


@each_kind
def test_a_value_is_named_by_its_digest_everywhere(
    kind: Kind, ada: Any, configured: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configured(REVOCATIONS={"ALIAS": "default"})
    token = kind.make(ada)
    with caplog.at_level(logging.INFO):
        kind.ask("after", token)
        endpoints.introspect(token, auth=factories.ResourceServerFactory())
        kind.row.delete()

    known = [*test_caches.keys(caches["default"]), *test_caches.values(caches["default"])]
    assert any(hashlib.sha256(token.encode()).hexdigest() in entry for entry in known)
    assert not any(token in entry for entry in known)
    assert token not in caplog.text
    assert token not in repr(introspect(token, using=kind.alias))


@each_kind
def test_tokens_of_ours_and_theirs_work_side_by_side(kind: Kind, ada: Any) -> None:
    theirs, ours = kind.make(ada), factories.TokenFactory(user=ada).access_token

    assert introspect(theirs)
    assert introspect(ours)
    assert introspect("unknown") is None


@pytest.mark.parametrize(("urls", "expected"), [("urls", []), ("both_readers", ["introspection.W012"])])
def test_a_view_that_reads_one_scheme_twice_is_warned_of(urls: str, expected: list[str], settings: Any) -> None:
    settings.ROOT_URLCONF = f"tests.contrib.project_tokens.{urls}"

    assert [message.id for message in checks.run_checks() if "introspection" in str(message.id)] == expected
