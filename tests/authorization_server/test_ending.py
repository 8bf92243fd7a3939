"""Deleting and disabling ends tokens wherever answers about them are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.admin.utils import NestedObjects
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string

from django_introspection import revocations
from django_introspection.authorization_server import ending
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.conf import introspection_settings
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import Client, GrantType, Token, TokenKind
from django_introspection.protocol.jwt import token_identity
from tests import caches as test_caches
from tests import endpoints, factories, jose
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db(transaction=True)
User = get_user_model()


class ProxyUser(User):  # type: ignore[misc, valid-type]  # a class made at run time
    class Meta:
        proxy = True
        app_label = "auth"


ending.connect()  # this proxy is made after the apps were ready


@pytest.fixture(autouse=True)
def _tombstones(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}


@pytest.fixture
def issued() -> Any:
    """Tokens of a user for a client, beside those of another user for another client."""
    factories.TokenFactory(user=factories.UserFactory(), refresh=True)
    return factories.TokenFactory(user=factories.UserFactory(), refresh=True)


@pytest.fixture
def without_cache(settings: Any) -> Callable[[], None]:
    """Take the cache away."""

    def take() -> None:
        settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}

    return take


def is_dead(issued: Any) -> bool:
    return revocations.is_revoked(issued.token.digest)


def others_are_alive(issued: Any) -> bool:
    others = Token.objects.exclude(grant_id=issued.token.grant_id)
    assert others.count() == 2
    return not any(revocations.is_revoked(token.digest) for token in others)


def save(row: Any, **values: Any) -> None:
    row = type(row)._base_manager.get(pk=row.pk)
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


DELETIONS: dict[str, Callable[[Any], Any]] = {
    "Client.delete": lambda token: token.client.delete(),
    "QuerySet.delete of clients": lambda token: Client.objects.filter(pk=token.client.pk).delete(),
    "User.delete": lambda token: token.user.delete(),
    "QuerySet.delete of users": lambda token: User.objects.filter(pk=token.user.pk).delete(),
    "delete of a proxy of the user": lambda token: ProxyUser.objects.get(pk=token.user.pk).delete(),
    "Token.delete": lambda token: token.delete(),
    "QuerySet.delete of tokens": lambda token: Token.objects.filter(grant_id=token.grant_id).delete(),
    "delete of a client's tokens": lambda token: token.client.tokens.all().delete(),
}
DISABLINGS: dict[str, Callable[[Any], Any]] = {
    "Client.save": lambda token: save(token.client, is_active=False),
    "introspection_client disable": lambda token: call_command(
        "introspection_client", "disable", token.client.client_id
    ),
    "User.save": lambda token: save(token.user, is_active=False),
    "save of the one field": lambda token: _disable_field(token.user),
}


def _disable_field(user: Any) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


@pytest.mark.parametrize("way", [*DELETIONS, *DISABLINGS])
def test_whatever_ends_a_token_writes_its_tombstone(way: str, issued: Any) -> None:
    assert not is_dead(issued)

    {**DELETIONS, **DISABLINGS}[way](issued.token)

    assert is_dead(issued)
    assert others_are_alive(issued)
    assert Token.objects.filter(pk=issued.token.pk).exists() == (way in DISABLINGS)


@pytest.mark.parametrize("way", DELETIONS)
def test_without_the_cache_nothing_is_deleted(way: str, issued: Any, without_cache: Any) -> None:
    without_cache()

    with pytest.raises(IntrospectionUnavailable):
        DELETIONS[way](issued.token)

    assert Token.objects.filter(grant_id=issued.token.grant_id, revoked_at=None).count() == 2
    assert (Client.objects.count(), User.objects.count()) == (2, 2)


@pytest.mark.parametrize("way", DELETIONS)
def test_expired_tokens_are_deleted_without_a_cache(way: str, issued: Any, without_cache: Any) -> None:
    Token.objects.filter(kind=TokenKind.ACCESS).update(expires_at=1)
    without_cache()

    DELETIONS[way](issued.token)

    assert not Token.objects.filter(pk=issued.token.pk).exists()


@pytest.mark.parametrize("way", DELETIONS)
def test_without_revocations_nothing_is_written(way: str, issued: Any, without_cache: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": None}
    without_cache()

    DELETIONS[way](issued.token)

    assert not Token.objects.filter(pk=issued.token.pk).exists()


def test_a_tombstone_is_written_before_its_row_is_deleted(issued: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write = revocations.write_tombstones
    rows: list[int] = []

    def written(tokens: Any) -> None:
        rows.append(Token.objects.filter(pk=issued.token.pk).count())
        write(tokens)

    monkeypatch.setattr(revocations, "write_tombstones", written)
    issued.token.client.delete()

    assert rows == [1]


@pytest.mark.parametrize("owner", ["client", "user"])
def test_the_refresh_tokens_of_a_deleted_owner_are_used_up_by_one_statement(owner: str) -> None:
    issued = factories.TokenFactory(user=factories.UserFactory(), refresh=True)

    with CaptureQueriesContext(connection) as captured:
        getattr(issued.token, owner).delete()

    updates = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("UPDATE")]
    assert len([sql for sql in updates if "revoked_at" in sql.partition("WHERE")[0]]) == 1


@pytest.mark.parametrize("owner", ["client", "user"])
def test_the_tokens_of_a_deleted_owner_are_read_in_pages_and_deleted_by_one_statement(
    owner: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(ending, "BATCH", 2)
    client, user = factories.RegistrationFactory().client, factories.UserFactory()
    for _ in range(5):
        factories.TokenFactory(client=client, user=user)
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}

    with CaptureQueriesContext(connection) as captured:
        {"client": client, "user": user}[owner].delete()

    of_tokens = [query["sql"] for query in captured.captured_queries if "introspection_token" in query["sql"]]
    selects = [sql for sql in of_tokens if sql.startswith("SELECT") and "FOR UPDATE" not in sql]
    assert [sql.rpartition("LIMIT ")[2] for sql in selects] == ["2", "2", "2", "1"], (
        "the last looks for exchanged tokens"
    )
    assert len([sql for sql in of_tokens if sql.startswith("DELETE")]) == 1
    assert test_caches.CALLS.count("set_many") == 3


def test_tokens_are_deleted_in_pages_with_their_tombstones(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(ending, "BATCH", 2)
    client = factories.RegistrationFactory().client
    for _ in range(3):
        factories.TokenFactory(client=client, refresh=True)
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}

    assert client.tokens.all().delete() == (6, {"introspection.Token": 6})

    assert test_caches.CALLS.count("set_many") == 3


def test_a_slice_of_tokens_is_not_deleted_as_django_says(issued: Any) -> None:
    with pytest.raises(TypeError):
        Token.objects.all()[:1].delete()

    assert Token.objects.count() == 4


def test_the_admin_is_shown_the_first_tokens_and_deletes_none(issued: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_introspection.models.deletion.SHOWN", 1)
    shown = NestedObjects("default")
    shown.collect([issued.token.user])

    assert len(shown.model_objs[Token]) == 1
    assert not is_dead(issued)


def test_the_admin_is_shown_protected_tokens_while_the_cache_does_not_answer(issued: Any, without_cache: Any) -> None:
    without_cache()
    shown = NestedObjects("default")
    shown.collect([issued.token.user])

    assert {token.user for token in shown.protected} == {issued.token.user}
    assert issubclass(ProtectedError, Exception)


def test_the_command_fails_until_caches_know_what_it_did(issued: Any, without_cache: Any, settings: Any) -> None:
    """A process that ends remembers nothing, so the operator must run the command again."""
    cache = settings.CACHES
    for command, is_dead_afterwards in (("disable", True), ("enable", False)):
        for _ in range(2):
            without_cache()
            with pytest.raises(CommandError, match="answer") as raised:
                call_command("introspection_client", command, issued.token.client.client_id)
            assert raised.value.returncode == 3
        settings.CACHES = cache  # which forgets that writing failed, as another process would not know it
        assert is_dead(issued) is not is_dead_afterwards

        call_command("introspection_client", command, issued.token.client.client_id)

        assert is_dead(issued) is is_dead_afterwards


@pytest.mark.parametrize("way", DISABLINGS)
def test_disabling_stands_without_the_cache_and_the_tombstones_follow(
    way: str, issued: Any, without_cache: Any, settings: Any
) -> None:
    cache = settings.CACHES
    without_cache()

    with suppress(CommandError):  # the command says that it must be repeated
        DISABLINGS[way](issued.token)

    settings.CACHES = cache
    revocations.write_failed.set()  # changed settings forget it
    factories.TokenFactory()
    assert is_dead(issued)
    row = Token.objects.select_related("client", "user").get(pk=issued.token.pk)
    assert not (row.client.is_active and row.user.is_active)


def test_enabling_takes_back_the_tombstones_of_tokens_that_are_active_again(issued: Any) -> None:
    client, user = issued.token.client, issued.token.user
    users = user, factories.UserFactory()
    revoked, of_disabled = (factories.TokenFactory(client=client, user=each) for each in users)
    revoke_token(revoked.token, by=None)
    save(of_disabled.token.user, is_active=False)
    save(client, is_active=False)
    assert [is_dead(each) for each in (issued, revoked, of_disabled)] == [True, True, True]

    save(client, is_active=True)

    assert [is_dead(each) for each in (issued, revoked, of_disabled)] == [False, True, True]


def test_a_disabled_owner_that_is_rolled_back_leaves_no_tombstone(issued: Any) -> None:
    with transaction.atomic():
        save(issued.token.user, is_active=False)
        transaction.set_rollback(True)

    assert not is_dead(issued)


@pytest.fixture
def signing(settings: Any) -> None:
    """Let this server sign JWTs; the cache is whole, so that nothing is restored meanwhile."""
    keys = [{"KEY": jose.private("ES256", "server")}]
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": keys}
    revocations.set_markers()


def disable_after(name: str, owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable a client or a user after a function has read it for a request, before the new token is stored."""
    read = import_string(name)

    def read_and_disable(*arguments: Any) -> Any:
        found = read(*arguments)
        save(owner, is_active=False)
        return found

    monkeypatch.setattr(name, read_and_disable)


@pytest.mark.parametrize("owner", ["client", "user"])
@pytest.mark.parametrize("way", ["issue", "refresh", "exchange"])
def test_a_jwt_that_is_made_while_its_owner_is_disabled_has_a_tombstone(
    way: str, owner: str, signing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = factories.RegistrationFactory(
        grant_types=[GrantType.REFRESH_TOKEN, GrantType.TOKEN_EXCHANGE], access_token_format="jwt"
    )
    owners = {"client": holder.client, "user": factories.UserFactory()}
    modules = "django_introspection.authorization_server"
    if way == "issue":
        save(owners[owner], is_active=False)
        access_token = factories.TokenFactory(**owners).access_token
    else:
        before = factories.TokenFactory(**owners, refresh=True)
        reads = {"refresh": f"{modules}.rotation._presented", "exchange": f"{modules}.token_exchange._subject"}
        forms = {
            "refresh": {"grant_type": "refresh_token", "refresh_token": before.refresh_token},
            "exchange": {
                "grant_type": GrantType.TOKEN_EXCHANGE.value,
                "subject_token": before.access_token,
                "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            },
        }
        disable_after(reads[way], owners[owner], monkeypatch)
        response = endpoints.post("/oauth/token", forms[way], auth=holder)
        assert response.status_code == 200, response.content
        access_token = response.json()["access_token"]

    assert endpoints.introspect(access_token, auth=factories.ResourceServerFactory()).json() == {"active": False}
    assert revocations.is_revoked(token_identity(access_token))


def test_in_a_transaction_the_tombstone_of_a_disabled_users_jwt_follows_the_commit(signing: None) -> None:
    client, user = factories.RegistrationFactory(access_token_format="jwt").client, factories.UserFactory()
    save(user, is_active=False)

    with transaction.atomic():
        issued = factories.TokenFactory(client=client, user=user)
        assert not is_dead(issued)

    assert is_dead(issued)


def test_without_the_cache_the_jwt_of_a_disabled_user_is_not_issued(signing: None, without_cache: Any) -> None:
    client = factories.RegistrationFactory(access_token_format="jwt").client
    active, disabled = factories.UserFactory(), factories.UserFactory()
    save(disabled, is_active=False)
    without_cache()

    with pytest.raises(IntrospectionUnavailable):
        factories.TokenFactory(client=client, user=disabled)
    assert factories.TokenFactory(client=client, user=active)


@pytest.mark.parametrize(
    ("form", "revocations_setting", "further"), [("jwt", {}, 1), ("jwt", None, 0), ("opaque", {}, 0)], ids=str
)
def test_only_a_jwt_costs_a_look_for_its_owner_and_only_with_revocations(
    form: str, revocations_setting: Any, further: int, signing: None, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": revocations_setting}
    client = factories.RegistrationFactory(access_token_format=form).client
    factories.TokenFactory(client=client)  # which looks at the cache for the next seconds

    with CaptureQueriesContext(connection) as captured:
        Token.objects.issue(client=client, audience=[AUDIENCE])

    assert len(captured.captured_queries) == 3 + further, "begin, one row, commit"


def test_tombstones_of_disabled_owners_are_restored(issued: Any) -> None:
    save(issued.token.user, is_active=False)
    test_caches.empty()

    call_command("introspection_token", "restore-tombstones", verbosity=0)

    assert is_dead(issued)
    assert others_are_alive(issued)


def test_other_changes_write_nothing_and_cost_no_statement(issued: Any) -> None:
    user = issued.token.user
    save(user, first_name="Ada")
    with CaptureQueriesContext(connection) as captured:
        user.save(update_fields=["last_login"])

    assert len(captured.captured_queries) == 1
    assert not is_dead(issued)


@pytest.fixture
def on_password_change(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOKE_ON_PASSWORD_CHANGE": True}


def set_password(user: Any) -> None:
    user.set_password("another")
    user.save()


def set_unusable_password(user: Any) -> None:
    user.set_unusable_password()
    user.save(update_fields=["password"])


@pytest.mark.parametrize("change", [set_password, set_unusable_password])
def test_a_changed_password_revokes_the_tokens_of_its_user_if_that_is_set(
    change: Any, issued: Any, on_password_change: None
) -> None:
    change(issued.token.user)

    assert is_dead(issued)
    assert others_are_alive(issued)
    revoked = Token.objects.filter(user=issued.token.user)
    assert set(revoked.values_list("revoked_by", flat=True)) == {"change of password"}


def test_by_default_a_changed_password_revokes_nothing(issued: Any) -> None:
    assert introspection_settings.REVOKE_ON_PASSWORD_CHANGE is False
    set_password(issued.token.user)

    assert not Token.objects.exclude(revoked_at=None).exists()


def test_a_password_that_is_hashed_anew_at_login_is_no_change(
    issued: Any, on_password_change: None, settings: Any
) -> None:
    user = issued.token.user
    set_password(user)
    Token.objects.update(revoked_at=None)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]

    assert user.check_password("another")

    assert User.objects.get(pk=user.pk).password.startswith("pbkdf2")
    assert not Token.objects.exclude(revoked_at=None).exists()


def test_a_changed_password_stands_without_the_cache(issued: Any, on_password_change: None, without_cache: Any) -> None:
    without_cache()

    set_password(issued.token.user)

    assert not Token.objects.filter(user=issued.token.user, revoked_at=None).exists()


class ElsewhereRouter:
    """Name the database of another tenant, as a router does in a context without the right one."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "elsewhere" if model._meta.app_label == "introspection" else None


def go_to_another_context(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": None}
    settings.DATABASE_ROUTERS = [f"{__name__}.ElsewhereRouter"]


def test_a_changed_password_revokes_the_tokens_in_the_database_of_its_user(
    issued: Any, on_password_change: None, settings: Any
) -> None:
    user = issued.token.user
    go_to_another_context(settings)

    user.set_password("another")
    user.save(using="default")

    tokens = Token.objects.using("default").filter(user=user)
    assert set(tokens.values_list("revoked_by", flat=True)) == {"change of password"}


@pytest.mark.parametrize("owner", ["user", "token"])
def test_a_deletion_revokes_what_was_exchanged_in_the_database_of_what_is_deleted(
    owner: str, issued: Any, settings: Any
) -> None:
    exchanged = factories.TokenFactory(user=factories.UserFactory()).token
    Token.objects.filter(pk=exchanged.pk).update(predecessor=issued.token)
    go_to_another_context(settings)

    (issued.token if owner == "token" else issued.token.user).delete(using="default")

    assert Token.objects.using("default").get(pk=exchanged.pk).revoked_by == ending.DELETION


def test_deleting_tokens_costs_no_statement_for_each(issued: Any) -> None:
    for _ in range(5):
        factories.TokenFactory(client=issued.token.client)

    with CaptureQueriesContext(connection) as captured:
        issued.token.client.tokens.all().delete()

    locks = 1 if connection.features.has_select_for_update else 0
    assert len(captured.captured_queries) == 5 + locks, (
        "a look for exchanged tokens, begin, one page, its locks, one deletion, commit"
    )


@pytest.mark.parametrize("way", DELETIONS)
def test_a_project_that_listens_to_deleted_tokens_hears_of_each(way: str, issued: Any) -> None:
    heard: list[Any] = []

    def receiver(instance: Any, **_: Any) -> None:
        heard.append(instance.grant_id)

    pre_delete.connect(receiver, sender=Token)
    try:
        DELETIONS[way](issued.token)
    finally:
        pre_delete.disconnect(receiver, sender=Token)

    assert set(heard) == {issued.token.grant_id}
    assert is_dead(issued)
    assert not Token.objects.filter(pk=issued.token.pk).exists()
