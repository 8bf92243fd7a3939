"""The fields by which LocalUser finds people: their types, and what else a new row needs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import connection, models
from django.http import HttpResponse
from django.test.client import RequestFactory

from django_introspection import TokenInfo
from django_introspection.decorators import token_required
from django_introspection.resource_server import local_users
from django_introspection.resource_server.local_users import CREATE, LocalUser
from django_introspection.resource_server.users import TokenUser
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, ask, assert_refused, assert_unavailable, protect

pytestmark = pytest.mark.django_db
ISSUER = "https://auth.example.com"
APP = "local_user_fields"
OID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"


class Visible(BaseUserManager["Account"]):
    """Hides some rows, as a manager for soft deletion does."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(is_hidden=False)


class Account(AbstractBaseUser):
    """A user model with fields of several types that can name a person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    login = models.CharField(max_length=150, unique=True)
    oid = models.UUIDField(unique=True, null=True)
    number = models.IntegerField(unique=True, null=True)
    short = models.CharField(max_length=8, unique=True, null=True)  # noqa: DJ001 - null, so that it is unique
    is_hidden = models.BooleanField(default=False)

    USERNAME_FIELD = "login"
    objects = Visible()

    class Meta:
        app_label = APP


class Member(AbstractBaseUser):
    """A user model whose rows need more than LocalUser knows."""

    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=20, unique=True)
    badge = models.UUIDField(unique=True, default=uuid.uuid4)
    nick = models.CharField(max_length=20, unique=True, null=True)  # noqa: DJ001 - null, so that it is unique

    USERNAME_FIELD = "email"

    class Meta:
        app_label = APP


class Numbered(AbstractBaseUser):
    """A user model whose USERNAME_FIELD holds no UUID."""

    code = models.CharField(max_length=20, unique=True)
    oid = models.UUIDField(unique=True)

    USERNAME_FIELD = "code"

    class Meta:
        app_label = APP


class SlugOfUser(models.SlugField):
    """A field that fills itself."""

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        return uuid.uuid4().hex


class Constant(AbstractBaseUser):
    """A user model with a default that one row alone can have."""

    email = models.EmailField(unique=True)
    slug = SlugOfUser(unique=True)
    badge = models.CharField(max_length=20, unique=True, default="none")

    USERNAME_FIELD = "email"

    class Meta:
        app_label = APP


class Filling(Member):
    """A user model that fills its fields itself."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.phone = self.phone or uuid.uuid4().hex[:20]
        super().save(*args, **kwargs)

    class Meta:
        app_label = APP
        proxy = True


@pytest.fixture(scope="module")
def _table(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            editor.create_model(Account)
        yield
        with connection.schema_editor() as editor:
            editor.delete_model(Account)


@pytest.fixture
def accounts(_table: None, db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(local_users, "_user_model", lambda: Account)
    return Account._base_manager


def resolved(sub: Any, *, method: str = "post", **options: Any) -> Any:
    request = getattr(RequestFactory(), method)("/")
    return LocalUser(**{"claim": "sub", **options})(TokenUser(TokenInfo({"sub": sub, "iss": ISSUER})), request)


FOUND = {"id": OID, "oid": OID, "number": "42", "short": "a1"}


@pytest.mark.parametrize(("field", "sub"), FOUND.items(), ids=FOUND)
def test_a_user_is_found_by_a_field_of_any_type(accounts: Any, field: str, sub: str) -> None:
    accounts.create(login="anna", **{field: sub})
    anna = accounts.get()
    accounts.create(login="berta")

    for create in CREATE:
        assert resolved(sub, field=field, create=create) == anna
    assert accounts.count() == 2


@pytest.mark.parametrize(("field", "sub"), FOUND.items(), ids=FOUND)
def test_a_user_is_made_with_a_field_of_any_type(accounts: Any, field: str, sub: str) -> None:
    made = resolved(sub, field=field, create="always")

    assert accounts.get(**{field: sub}) == made == resolved(sub, field=field)


def test_the_identity_is_a_uuid_that_a_field_may_hold(accounts: Any) -> None:
    made = resolved("42", claim="identity", field="oid", create="always")

    assert made == accounts.get(oid=TokenUser(TokenInfo({"sub": "42"}), issuer=ISSUER).pk)


NOT_HELD = {
    "id": ["42", "not-a-uuid", OID[:-1], OID + "0"],
    "oid": ["42", "{" + OID + "}", OID.replace("-", ""), "urn:uuid:" + OID, OID.upper()],
    "number": ["anna", "4.2", "042", " 42", "4_2", "٤٢", "9" * 20, "9" * 30, "9" * 5000, "1e3", "NaN"],
    "short": ["a" * 9, "a" * 300],
}
CASES = [(field, sub) for field, subs in NOT_HELD.items() for sub in subs]


@pytest.mark.parametrize("create", CREATE)
@pytest.mark.parametrize(("field", "sub"), CASES, ids=range(len(CASES)))
def test_a_name_that_the_field_cannot_hold_is_no_user_here(accounts: Any, field: str, sub: str, create: str) -> None:
    accounts.create(login="anna", id=OID, oid=OID, number=42)

    assert resolved(sub, field=field, create=create) is None
    assert accounts.count() == 1


def entry(server: MisbehavingServer, **options: Any) -> dict[str, Any]:
    user = {"RESOLVER": f"{LocalUser.__module__}.LocalUser", "OPTIONS": {"claim": "sub", **options}}
    return {"BACKENDS": {"default": {**server.settings()["BACKENDS"]["default"], "USER": user}}}


@pytest.mark.parametrize("create", CREATE)
def test_sync_and_async_views_know_the_user_of_a_uuid(
    accounts: Any, authorization_server: MisbehavingServer, settings: Any, create: str
) -> None:
    @token_required()
    async def orders(request: Any) -> HttpResponse:
        return HttpResponse(str((await request.auser()).pk))

    settings.TOKEN_INTROSPECTION = entry(authorization_server, field="id", create=create)
    header = {"Authorization": f"Bearer {TOKEN}"}
    accounts.create(login="anna", id=OID)
    authorization_server.behave("active", iss=ISSUER, sub=OID)
    view = protect()
    assert ask(view, TOKEN).status_code == 200
    assert str(view.ran[0].user.pk) == OID
    assert async_to_sync(orders)(RequestFactory().post("/", headers=header)).content == OID.encode()

    authorization_server.behave("active", iss=ISSUER, sub="anna")
    assert_refused(ask(protect(), TOKEN, method="post"), 401, "invalid_token")
    assert async_to_sync(orders)(RequestFactory().post("/", headers=header)).status_code == 401


def test_every_new_user_has_a_user_name_of_its_own(accounts: Any) -> None:
    for number in ("1", "2", "3"):
        assert resolved(number, field="number", create="always").number == int(number)

    logins = set(accounts.values_list("login", flat=True))
    assert len(logins) == 3
    assert all(uuid.UUID(login) for login in logins)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("create", CREATE)
def test_a_row_that_the_manager_hides_is_no_user_here(accounts: Any, create: str, method: str) -> None:
    accounts.create(login="anna", number=42, is_hidden=True)

    assert resolved("42", field="number", create=create, method=method) is None
    assert accounts.count() == 1


def test_a_row_that_another_constraint_rejects_is_unavailable_and_the_log_names_the_resolver(
    accounts: Any, authorization_server: MisbehavingServer, settings: Any, monkeypatch: Any, caplog: Any
) -> None:
    settings.TOKEN_INTROSPECTION = entry(authorization_server, field="number", create="always")
    authorization_server.behave("active", iss=ISSUER, sub="42")
    monkeypatch.setattr(local_users, "uuid4", lambda: "anna")
    accounts.create(login="anna")
    view = protect()

    assert_unavailable(ask(view, TOKEN), view)
    (line,) = [line for line in caplog.messages if "raised IntegrityError at " in line]
    assert "raised IntegrityError at local_users.py:" in line


def problem_with(model: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> str | None:
    monkeypatch.setattr(local_users, "_user_model", lambda: model)
    return LocalUser(**options).problem()


@pytest.mark.parametrize("create", CREATE)
@pytest.mark.parametrize(
    ("model", "field", "named"),
    [
        (Account, "oid", None),
        (Account, "login", None),
        (Member, "email", "'phone'"),
        (Member, "nick", "'phone'"),
        (Member, "phone", None),
        (Numbered, "oid", "'code'"),
        (Numbered, "code", "'oid'"),
        (Filling, "email", None),
        (Constant, "email", "'badge'"),
        (Constant, "badge", None),
    ],
)
def test_fields_that_no_new_user_could_leave_empty_are_named(
    monkeypatch: pytest.MonkeyPatch, model: Any, field: str, named: str | None, create: str
) -> None:
    problem = problem_with(model, monkeypatch, claim="sub", field=field, create=create)

    if named is None or create == "never":
        assert problem is None
    else:
        assert problem is not None
        assert named in problem


@pytest.mark.parametrize(("field", "is_too_short"), [("oid", False), ("login", False), ("short", True)])
def test_a_field_must_hold_the_identity(monkeypatch: pytest.MonkeyPatch, field: str, is_too_short: bool) -> None:
    problem = problem_with(Account, monkeypatch, field=field)

    assert (problem is not None) == is_too_short
