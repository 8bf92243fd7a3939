"""Personal tokens: made, rotated and revoked, and what every other part makes of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError
from django.db.models import QuerySet

from django_introspection import introspect, revocations
from django_introspection.authorization_server import revoking
from django_introspection.models import Client, IntrospectionPolicy, Token
from django_introspection.models.fields import now, uuid7
from django_introspection.personal_tokens import issuing
from django_introspection.personal_tokens.bounds import UNBOUND, Bounds
from django_introspection.personal_tokens.client import CLIENT_ID
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.signals import personal_token_created
from tests import endpoints, factories
from tests.personal_tokens.conftest import configure, make
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db


def test_a_personal_token_is_an_ordinary_token(user: Any, resource_server: Any) -> None:
    issued = make(user, description="of my laptop", lifetime=timedelta(days=3))

    answer = endpoints.introspect(issued.value, auth=resource_server).json()

    assert answer["active"] is True
    assert answer["sub"] == str(user.pk)
    assert answer["client_id"] == CLIENT_ID
    assert (answer["scope"], answer["aud"], answer["jti"]) == ("orders:read", [AUDIENCE], str(issued.row.pk))
    assert answer["exp"] - answer["iat"] == 3 * 86400
    assert "allowed_networks" not in answer
    assert issued.value not in repr(issued)


def test_its_client_can_neither_introspect_nor_get_tokens(user: Any) -> None:
    make(user)
    client = Client.objects.get(client_id=CLIENT_ID)

    assert client.introspection_policy == IntrospectionPolicy.NONE
    assert client.grant_types == []
    for secret in ("", "guessed"):
        form = {"grant_type": "client_credentials"}
        assert endpoints.post("/oauth/token", form, auth=(client, secret)).status_code == 401


def test_every_personal_token_is_inactive_with_its_client(user: Any) -> None:
    issued = make(user)
    Client.objects.filter(client_id=CLIENT_ID).update(is_active=False)

    assert introspect(issued.value) is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"description": "d" * 1001}, "description"),
        ({"scope": ["orders:write"]}, "scope"),
        ({"scope": ["orders:read", "unknown"]}, "scope"),
        ({"networks": ["192.0.2.1/24"]}, "networks"),
        ({"networks": ["localhost"]}, "networks"),
        ({"lifetime": timedelta(days=366)}, "lifetime"),
        ({"lifetime": timedelta(0)}, "lifetime"),
        ({"lifetime": timedelta(days=-1)}, "lifetime"),
    ],
)
def test_what_a_person_may_not_have_is_refused(user: Any, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make(user, **wrong)

    assert list(refused.value.message_dict) == [field]
    assert not Token.objects.exists()
    assert not PersonalToken.objects.exists()


def test_a_disabled_user_gets_none(user: Any) -> None:
    user.is_active = False
    with pytest.raises(ValidationError):
        make(user)
    assert not PersonalToken.objects.exists()


def test_a_person_has_so_many_live_tokens_and_no_more(user: Any) -> None:
    issued = [make(user) for _ in range(5)]
    with pytest.raises(ValidationError):
        make(user)
    assert Token.objects.count() == PersonalToken.objects.count() == 5

    issuing.revoke(issued[0].row, by="test")
    make(user)
    make(factories.UserFactory())


def test_a_form_that_is_sent_twice_makes_one_token(user: Any) -> None:
    token_id = uuid7()
    make(user, token_id=token_id)

    with pytest.raises(IntegrityError):
        make(user, token_id=token_id)


def test_a_personal_token_is_never_a_jwt(user: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "RESOURCES": {AUDIENCE: {"FORMAT": "jwt"}}}

    with pytest.raises(ValidationError, match="cannot be JWTs"):
        make(user)


def test_who_made_a_token_is_in_the_security_log(user: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "django_introspection.security")
    seen: list[Any] = []

    def receive(personal_token: Any, by: str, instead_of: Any, **_: Any) -> None:
        seen.append((personal_token.pk, by, instead_of))

    personal_token_created.connect(receive)
    issued = make(user, by="user ann\nfaked line")
    personal_token_created.disconnect(receive)

    assert seen == [(issued.row.pk, "user ann\nfaked line", None)]
    assert rf"personal token created token={issued.row.pk} user={user.pk} instead of=None by='user ann\n" in caplog.text
    assert issued.value not in caplog.text


def test_rotation_gives_a_new_value_and_ends_the_old_one(user: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    old = make(user, description="d", networks=["192.0.2.0/24"], cnf={"jkt": "k"}, lifetime=timedelta(days=3))

    new = issuing.rotate(old.row, by="user ann")

    assert introspect(old.value, address="192.0.2.1") is None
    assert revocations.is_revoked(bytes(old.row.token.digest))
    assert new.value != old.value
    assert [(row.name, row.description, row.networks) for row in PersonalToken.objects.live(user)] == [
        ("laptop", "d", ["192.0.2.0/24"])
    ]
    token = Token.objects.get(pk=new.row.pk)
    assert token.members == {"cnf": {"jkt": "k"}, "allowed_networks": ["192.0.2.0/24"]}
    assert (token.scope, token.expires_at - token.issued_at) == ("orders:read", timedelta(days=3))
    assert Token.objects.get(pk=old.row.pk).revoked_by == "user ann"


def test_with_a_grace_the_old_value_ends_a_little_later(user: Any) -> None:
    old = make(user)

    new = issuing.rotate(old.row, grace=timedelta(hours=2))

    assert introspect(new.value) is not None
    assert introspect(old.value) is not None
    left = Token.objects.get(pk=old.row.pk).expires_at - now()
    assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)


def test_the_tokens_of_a_user_are_counted_under_the_lock(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count before it would let two requests at once pass; SQLite has one writer anyway."""
    done: list[str] = []
    for name in ("_lock", "_require_room"):
        step = getattr(issuing, name)
        monkeypatch.setattr(issuing, name, lambda *args, name=name, step=step: (done.append(name), step(*args)))

    make(user)

    assert done == ["_lock", "_require_room"]


def test_a_grace_lets_no_value_live_longer_than_before(user: Any) -> None:
    old = make(user, lifetime=timedelta(hours=1))
    before = Token.objects.get(pk=old.row.pk).expires_at

    issuing.rotate(old.row, grace=timedelta(days=7))

    assert Token.objects.get(pk=old.row.pk).expires_at == before
    assert PersonalToken.objects.get(pk=old.row.pk).expires_at == before


def test_a_token_that_lives_longer_than_is_allowed_now_is_rotated_to_the_most(user: Any, settings: Any) -> None:
    old = make(user, lifetime=timedelta(days=30))
    configure(settings, DEFAULT_LIFETIME=86400, MAX_LIFETIME=7 * 86400)

    new = issuing.rotate(old.row).row.token

    assert new.expires_at - new.issued_at == timedelta(days=7)


@pytest.mark.parametrize("ended", ["rotated", "rotated with grace", "revoked", "expired"])
def test_what_has_ended_is_not_rotated(user: Any, ended: str) -> None:
    issued = make(user)
    row = PersonalToken.objects.of(user).get()
    match ended:
        case "rotated":
            issuing.rotate(issued.row)
        case "rotated with grace":
            issuing.rotate(issued.row, grace=timedelta(hours=1))
        case "revoked":
            issuing.revoke(issued.row, by="")
        case "expired":
            Token.objects.update(expires_at=now() - timedelta(seconds=1))
    before = Token.objects.count()

    with pytest.raises(ValidationError) as refused:
        issuing.rotate(row)

    assert refused.value.code == "ended"
    assert Token.objects.count() == PersonalToken.objects.count() == before


def test_rotation_works_for_a_person_who_has_all_tokens_that_are_allowed(user: Any) -> None:
    issued = [make(user) for _ in range(5)]

    issuing.rotate(issued[0].row, grace=timedelta(hours=1))

    assert PersonalToken.objects.live(user).count() == 6


def test_the_old_token_and_the_new_one_change_together(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make(user)

    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(revoking, "_revoke_batch", fail)
        with pytest.raises(DatabaseError):
            issuing.rotate(old.row)

    assert introspect(old.value) is not None
    assert PersonalToken.objects.live(user).count() == 1
    new = issuing.rotate(PersonalToken.objects.get())
    assert (introspect(old.value), introspect(new.value) is None) == (None, False)


def test_rotations_with_a_grace_do_not_add_up_beyond_the_limit(user: Any) -> None:
    latest = make(user)
    for _ in range(5):
        latest = issuing.rotate(latest.row, grace=timedelta(days=7))

    with pytest.raises(ValidationError, match="as many tokens as you may have"):
        issuing.rotate(latest.row, grace=timedelta(days=7))

    assert PersonalToken.objects.live(user).count() == 6
    assert introspect(issuing.rotate(latest.row).value) is not None


def test_what_a_bound_token_rotates_has_its_key(user: Any) -> None:
    old = make(user)
    bounds = Bounds.of(TokenInfo({"scope": "orders:read", "aud": AUDIENCE, "cnf": {"jkt": "k"}}))

    new = issuing.rotate(old.row, bounds=bounds)

    assert new.row.token.members == {"cnf": {"jkt": "k"}}


OTHER = "https://other.example.com"


@pytest.mark.parametrize(
    ("configured", "held", "of_caller", "new"),
    [
        ([AUDIENCE, OTHER], [AUDIENCE], None, [AUDIENCE]),
        ([AUDIENCE, OTHER], [AUDIENCE, OTHER], [OTHER], [OTHER]),
        ([AUDIENCE], [], None, [AUDIENCE]),
        ([], [AUDIENCE], None, [AUDIENCE]),
        ([], [], [OTHER], [OTHER]),
        ([], [], None, []),
        ([OTHER], [AUDIENCE], None, None),
        ([AUDIENCE, OTHER], [AUDIENCE], [OTHER], None),
        ([OTHER, AUDIENCE], [f"{OTHER}/"], None, [OTHER]),
        ([OTHER, AUDIENCE], [], [f"{OTHER}:443"], [OTHER]),
        ([], [f"{OTHER}/", AUDIENCE], [OTHER.upper().replace("HTTPS", "https")], [f"{OTHER}/"]),
    ],
)
def test_a_rotated_token_is_for_no_further_service(
    user: Any, settings: Any, configured: list[str], held: list[str], of_caller: list[str] | None, new: list[str] | None
) -> None:
    configure(settings, AUDIENCE=held)
    old = make(user)
    configure(settings, AUDIENCE=configured)
    caller = {"scope": "orders:read", "aud": of_caller}
    bounds = Bounds.of(TokenInfo(caller)) if of_caller else UNBOUND

    if new is None:
        with pytest.raises(ValidationError, match="for none of the services"):
            issuing.rotate(old.row, bounds=bounds)
        assert introspect(old.value) is not None
    else:
        assert issuing.rotate(old.row, bounds=bounds).row.token.audience == new


def test_a_caller_for_one_service_makes_no_token_for_all(user: Any, settings: Any) -> None:
    configure(settings, AUDIENCE=[])
    bounds = Bounds.of(TokenInfo({"scope": "orders:read", "aud": OTHER}))

    assert make(user, bounds=bounds).row.token.audience == [OTHER]


def test_a_rotated_token_has_no_right_that_its_owner_lost(permitted: Any) -> None:
    old = make(permitted, scope=["orders:read", "orders:write"])
    permitted.user_permissions.clear()

    new = issuing.rotate(PersonalToken.objects.of(permitted).get(pk=old.row.pk))

    assert new.row.token.scope == "orders:read"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"scope": ["tokens:manage"]}, "scope"),
        ({"networks": ["192.0.0.0/16"]}, "networks"),
        ({"networks": ["192.0.2.1", "2001:db8::1"]}, "networks"),
    ],
)
def test_a_token_makes_none_that_has_more_than_itself(user: Any, wanted: dict[str, Any], field: str) -> None:
    info = TokenInfo({"scope": "orders:read", "aud": [AUDIENCE], "allowed_networks": ["192.0.2.0/24"]})

    with pytest.raises(ValidationError) as refused:
        make(user, **wanted, bounds=Bounds.of(info))

    assert list(refused.value.message_dict) == [field]


def test_a_token_passes_its_own_limits_on(user: Any) -> None:
    end = now() + timedelta(hours=1)
    members = {"scope": "orders:read", "aud": AUDIENCE, "exp": int(end.timestamp()), "cnf": {"jkt": "k"}}
    info = TokenInfo({**members, "allowed_networks": ["192.0.2.0/24"]})

    token = make(user, bounds=Bounds.of(info)).row.token

    assert token.members == {"cnf": {"jkt": "k"}, "allowed_networks": ["192.0.2.0/24"]}
    assert token.expires_at <= end
    assert make(user, networks=["192.0.2.7"], bounds=Bounds.of(info)).row.networks == ["192.0.2.7/32"]


def test_each_network_is_a_part_of_one_of_those_of_the_token(user: Any) -> None:
    own = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]
    info = TokenInfo({"scope": "orders:read", "aud": AUDIENCE, "allowed_networks": own})
    networks = ["198.51.100.7/32", "2001:db8:1::/48"]

    assert make(user, networks=networks, bounds=Bounds.of(info)).row.networks == networks


def test_a_token_for_another_service_makes_none(user: Any) -> None:
    info = TokenInfo({"scope": "orders:read", "aud": "https://other.example"})

    with pytest.raises(ValidationError, match="none of the services"):
        make(user, bounds=Bounds.of(info))


@pytest.mark.parametrize("way", ["user", "token", "tokens", "client"])
def test_its_row_is_in_no_list_once_it_is_deleted(user: Any, settings: Any, way: str) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    issued = make(user)
    digest = bytes(issued.row.token.digest)
    match way:
        case "user":
            type(user).objects.get().delete()
            assert not PersonalToken.objects.exists()
        case "token":
            Token.objects.get().delete()
        case "tokens":
            Token.objects.all().delete()
        case "client":
            Client.objects.get(client_id=CLIENT_ID).delete()

    assert revocations.is_revoked(digest)
    assert not PersonalToken.objects.of(user).exists()
    with pytest.raises(PersonalToken.DoesNotExist):
        PersonalToken.objects.of(user).get(pk=issued.row.pk)


def test_tokens_are_deleted_by_one_statement_as_without_the_app(django_assert_num_queries: Any, user: Any) -> None:
    for _ in range(3):
        make(user)

    with django_assert_num_queries(1):
        QuerySet.delete(Token.objects.all())


def test_a_disabled_user_has_no_personal_tokens_until_enabled(user: Any) -> None:
    issued = make(user)
    user.is_active = False
    user.save()
    assert introspect(issued.value) is None

    user.is_active = True
    user.save()
    assert introspect(issued.value) is not None


def test_tombstones_are_restored_as_those_of_other_tokens(user: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    issued = make(user)
    Token.objects.update(revoked_at=now())

    call_command("introspection_token", "restore-tombstones")

    assert revocations.is_revoked(bytes(issued.row.token.digest))


def test_a_bound_token_needs_its_key(user: Any) -> None:
    assert introspect(make(user, cnf={"jkt": "k"}).value) is None


def test_a_personal_token_is_not_exchanged_for_one_that_would_keep_lost_rights(user: Any, settings: Any) -> None:
    configure(settings)
    api = factories.ResourceServerFactory(
        grant_types=["urn:ietf:params:oauth:grant-type:token-exchange"],
        scope="orders:read",
        allowed_resources=[AUDIENCE],
    )
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    other = factories.TokenFactory(user=user)
    assert endpoints.post("/oauth/token", {**form, "subject_token": other.access_token}, auth=api).status_code == 200

    answer = endpoints.post("/oauth/token", {**form, "subject_token": make(user).value}, auth=api)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
