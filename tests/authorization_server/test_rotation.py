"""Refresh tokens: RFC 6749 §6, RFC 8707 §2.2, RFC 9700 §4.14.2."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from django_introspection import revocations, signals
from django_introspection.authorization_server import restoring, rotation
from django_introspection.models import Client, GrantType, Token, TokenKind
from django_introspection.models.fields import now
from django_introspection.protocol import opaque
from tests import endpoints, factories, services
from tests.authorization_server.helpers import assert_inactive, assert_refused, everything_stored
from tests.settings import AUDIENCE

INVOICES = "https://api.example.com/invoices"
START = datetime(2026, 5, 1, tzinfo=UTC)
BOTH = [AUDIENCE, INVOICES]


@pytest.fixture
def holder(db: None) -> Any:
    """A client that may refresh, and its secret."""
    return factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN], allowed_resources=BOTH)


@pytest.fixture
def issued(holder: Any, user: Any) -> Any:
    """Tokens of a user for the client."""
    return factories.TokenFactory(
        client=holder.client,
        user=user,
        scope="orders:read orders:write",
        audience=BOTH,
        members={"acr": "2"},
        refresh=True,
    )


@pytest.fixture
def with_settings(settings: Any) -> Any:
    """Change single settings of the package for a test."""

    def change(**values: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, **values}

    return change


@pytest.fixture
def reused() -> Any:
    """What the signal `refresh_token_reused` told."""
    calls: list[dict[str, Any]] = []

    def receiver(signal: Any, sender: Any, **keywords: Any) -> None:
        calls.append(keywords)

    signals.refresh_token_reused.connect(receiver)
    yield calls
    signals.refresh_token_reused.disconnect(receiver)


def refresh(token: str, auth: Any, **form: Any) -> Any:
    return endpoints.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token, **form}, auth=auth)


def refreshed(token: str, auth: Any, **form: Any) -> Any:
    """Refresh with success, and return the members of the answer."""
    response = refresh(token, auth, **form)
    assert response.status_code == 200, response.content
    return response.json()


def members(token: str, auth: Any) -> Any:
    return endpoints.introspect(token, auth=auth).json()


def is_active(token: str, auth: Any) -> bool:
    return bool(members(token, auth)["active"])


def assert_dead(holder: Any, *values: str) -> None:
    for value in values:
        assert_inactive(endpoints.introspect(value, auth=holder))
    assert not Token.objects.filter(revoked_at=None).exists()


@pytest.mark.requirement("6749-6-e", "6749-5.1-a", "9700-4.14.2-a")
def test_a_refresh_token_is_exchanged_for_new_tokens_of_the_same_user_client_and_grant(
    holder: Any, user: Any, issued: Any
) -> None:
    response = refresh(issued.refresh_token, holder)

    answer = response.json()
    assert (response.status_code, response["Cache-Control"], response["Pragma"]) == (200, "no-store", "no-cache")
    assert answer.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert answer["scope"] == "orders:read orders:write"
    assert answer["access_token"].startswith("dit_at_")
    assert answer["refresh_token"].startswith("dit_rt_")
    told = members(answer["access_token"], holder)
    assert (told["sub"], told["aud"], told["acr"]) == (str(user.pk), BOTH, "2")
    assert set(Token.objects.values_list("grant_id", flat=True)) == {issued.token.grant_id}
    assert is_active(answer["refresh_token"], holder)
    assert is_active(issued.access_token, holder)
    assert_inactive(endpoints.introspect(issued.refresh_token, auth=holder))


def test_each_refresh_token_names_the_one_that_it_came_from(holder: Any, issued: Any) -> None:
    second = refreshed(issued.refresh_token, holder)["refresh_token"]
    refreshed(second, holder)

    refresh_tokens = Token.objects.filter(kind=TokenKind.REFRESH)
    last = refresh_tokens.get(rotated_at=None)
    assert last.predecessor.digest == opaque.digest(second)
    assert last.predecessor.predecessor.digest == opaque.digest(issued.refresh_token)
    assert last.predecessor.predecessor.predecessor is None
    assert refresh_tokens.values("grant_expires_at").distinct().count() == 1


@pytest.mark.requirement("9700-4.14.2-b")
def test_a_used_refresh_token_that_comes_again_ends_its_grant_and_no_other(
    holder: Any, issued: Any, reused: Any
) -> None:
    bystander = factories.TokenFactory(client=holder.client, user=issued.token.user, refresh=True)
    answer = refreshed(issued.refresh_token, holder)

    response = refresh(issued.refresh_token, holder)

    assert_refused(response, 400, "invalid_grant", issued.refresh_token)
    for value in (answer["access_token"], answer["refresh_token"], issued.access_token, issued.refresh_token):
        assert_inactive(endpoints.introspect(value, auth=holder))
    assert is_active(bystander.access_token, holder)
    assert is_active(bystander.refresh_token, holder)
    assert reused == [{"grant_id": issued.token.grant_id, "client": holder.client}]


@pytest.mark.requirement("9700-4.14.2-b", "9700-4.14.2-c")
def test_of_two_uses_that_both_found_the_token_unused_one_succeeds(
    holder: Any, issued: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, others = rotation.find, [lambda: refreshed(issued.refresh_token, holder)]
    answers = []

    def found_before_another_used_it(value: str) -> Any:
        found = find(value)
        if others:
            answers.append(others.pop()())
        return found

    monkeypatch.setattr(rotation, "find", found_before_another_used_it)

    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant", issued.refresh_token)

    (answer,) = answers
    assert_dead(holder, answer["access_token"], answer["refresh_token"], issued.access_token, issued.refresh_token)


@pytest.mark.requirement("9700-4.14.2-b")
@pytest.mark.parametrize("form", [{"scope": "admin"}, {"resource": "urn:elsewhere"}], ids=str)
def test_a_repeat_is_noticed_whatever_else_is_wrong_with_it(holder: Any, issued: Any, form: dict[str, str]) -> None:
    answer = refreshed(issued.refresh_token, holder)

    assert_refused(refresh(issued.refresh_token, holder, **form), 400, "invalid_grant")

    assert_dead(holder, answer["access_token"], answer["refresh_token"])


@pytest.mark.requirement("9700-4.14.2-b")
def test_a_repeat_after_generations_and_after_its_own_end_still_ends_the_grant(holder: Any, time_machine: Any) -> None:
    time_machine.move_to(START, tick=False)
    first = value = factories.TokenFactory(client=holder.client, refresh=True).refresh_token
    for _ in range(3):
        value = refreshed(value, holder)["refresh_token"]
        time_machine.shift(timedelta(days=9))

    assert_refused(refresh(first, holder), 400, "invalid_grant")

    assert_dead(holder, value)


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.django_db(transaction=True)
def test_the_refusal_of_a_repeat_does_not_undo_the_end_of_the_grant(
    monkeypatch: pytest.MonkeyPatch, atomic: bool
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    answer = refreshed(issued.refresh_token, holder)

    assert refresh(issued.refresh_token, holder).status_code == 400

    connection.close()
    assert_dead(holder, answer["access_token"], answer["refresh_token"])


def test_without_grace_a_repeat_is_one_although_another_machines_clock_is_ahead(
    holder: Any, issued: Any, time_machine: Any
) -> None:
    time_machine.move_to(START + timedelta(days=1), tick=False)
    Token.objects.update(expires_at=START + timedelta(days=9))
    refreshed(issued.refresh_token, holder)
    time_machine.move_to(START, tick=False)

    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant")

    assert_dead(holder)


@pytest.mark.requirement("6749-6-a")
@pytest.mark.parametrize("body", ["grant_type=refresh_token", "grant_type=refresh_token&refresh_token="])
def test_a_missing_refresh_token_is_an_invalid_request(holder: Any, body: str) -> None:
    assert_refused(endpoints.post("/oauth/token", body, auth=holder), 400, "invalid_request")


@pytest.mark.requirement("6749-6-a")
@pytest.mark.parametrize(
    "value",
    ["unknown", "dit_rt_short", "a\x00b", opaque.generate(opaque.REFRESH_TOKEN), "x" * 100_000],
    ids=["unknown", "short", "NUL", "generated", "huge"],
)
def test_a_refresh_token_that_never_was_is_an_invalid_grant(holder: Any, value: str) -> None:
    assert_refused(refresh(value, holder), 400, "invalid_grant", value)


@pytest.mark.requirement("6749-6-a")
def test_an_access_token_refreshes_nothing(holder: Any, issued: Any) -> None:
    assert_refused(refresh(issued.access_token, holder), 400, "invalid_grant", issued.access_token)

    assert is_active(issued.access_token, holder)


@pytest.mark.requirement("6749-6-a")
@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_revoked_or_expired_refresh_token_is_refused_and_is_no_repeat(
    holder: Any, issued: Any, reused: Any, column: str
) -> None:
    Token.objects.filter(kind=TokenKind.REFRESH).update(**{column: 1})

    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant", issued.refresh_token)

    assert is_active(issued.access_token, holder)
    assert reused == []


@pytest.mark.requirement("6749-6-a")
def test_the_tokens_of_a_disabled_user_are_not_refreshed_and_not_used_up(holder: Any, user: Any, issued: Any) -> None:
    user.is_active = False
    user.save()
    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant")
    user.is_active = True
    user.save()

    assert refresh(issued.refresh_token, holder).status_code == 200


def test_a_disabled_client_refreshes_nothing(holder: Any, issued: Any) -> None:
    Client.objects.update(is_active=False)

    assert_refused(refresh(issued.refresh_token, holder), 401, "invalid_client")

    assert not Token.objects.exclude(rotated_at=None).exists()


@pytest.mark.requirement("6749-6-b")
@pytest.mark.parametrize("used", [False, True])
def test_the_refresh_token_of_another_client_is_refused_and_untouched(holder: Any, issued: Any, used: bool) -> None:
    stranger = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    live = refreshed(issued.refresh_token, holder)["refresh_token"] if used else issued.refresh_token

    assert_refused(refresh(issued.refresh_token, stranger), 400, "invalid_grant", issued.refresh_token)

    assert is_active(issued.access_token, holder)
    assert refresh(live, holder).status_code == 200


def test_a_client_that_may_not_refresh_is_unauthorized(machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client, refresh=True)

    assert_refused(refresh(issued.refresh_token, machine), 400, "unauthorized_client")

    assert is_active(issued.refresh_token, machine)


@pytest.mark.requirement("6749-6-c", "6749-6-d")
def test_a_narrowed_access_token_leaves_the_refresh_token_whole(holder: Any, issued: Any) -> None:
    narrow = refreshed(issued.refresh_token, holder, scope="orders:read")
    whole = refreshed(narrow["refresh_token"], holder)

    assert narrow["scope"] == members(narrow["access_token"], holder)["scope"] == "orders:read"
    assert members(whole["refresh_token"], holder)["scope"] == "orders:read orders:write"
    assert whole["scope"] == members(whole["access_token"], holder)["scope"] == "orders:read orders:write"


@pytest.mark.requirement("6749-6-c")
@pytest.mark.parametrize("scope", ["orders:read admin", "admin", "a  b", 'a"b', "é"])
def test_a_wider_or_malformed_scope_is_refused_and_does_not_use_the_token_up(
    holder: Any, issued: Any, scope: str
) -> None:
    Client.objects.update(scope="orders:read orders:write admin")

    assert_refused(refresh(issued.refresh_token, holder, scope=scope), 400, "invalid_scope")

    assert refresh(issued.refresh_token, holder).status_code == 200


@pytest.mark.requirement("8707-2.2-a", "9700-4.14.2-a")
def test_a_refresh_for_some_of_the_resources_leaves_the_rest_for_later(holder: Any, issued: Any) -> None:
    first = refreshed(issued.refresh_token, holder, resource=INVOICES)
    second = refreshed(first["refresh_token"], holder, resource=AUDIENCE)
    third = refreshed(second["refresh_token"], holder)

    audiences = [members(answer["access_token"], holder)["aud"] for answer in (first, second, third)]
    assert audiences == [[INVOICES], [AUDIENCE], BOTH]


@pytest.mark.requirement("8707-2.2-a", "8707-2-c")
@pytest.mark.parametrize("resource", ["urn:elsewhere", "orders", f"{AUDIENCE}#f", f"{AUDIENCE}/", [AUDIENCE, "urn:x"]])
def test_a_resource_outside_of_the_grant_is_refused_and_does_not_use_the_token_up(
    holder: Any, issued: Any, resource: Any
) -> None:
    Client.objects.update(allowed_resources=[AUDIENCE, INVOICES, "urn:elsewhere", "urn:x"])

    assert_refused(refresh(issued.refresh_token, holder, resource=resource), 400, "invalid_target")

    assert refresh(issued.refresh_token, holder).status_code == 200


def change(holder: Any, **values: Any) -> None:
    Client.objects.filter(pk=holder.client.pk).update(**values)


def test_a_refresh_gives_no_more_than_the_client_may_have_now(holder: Any, issued: Any) -> None:
    change(holder, scope="orders:read further", allowed_resources=[INVOICES, "urn:further"])

    narrow = refreshed(issued.refresh_token, holder)

    told = members(narrow["access_token"], holder)
    assert (narrow["scope"], told["scope"], told["aud"]) == ("orders:read", "orders:read", [INVOICES])
    assert is_active(issued.access_token, holder), "what was issued keeps what it has"


def test_the_grant_is_untouched_and_comes_back_with_the_rights_of_the_client(holder: Any, issued: Any) -> None:
    change(holder, scope="orders:read", allowed_resources=[INVOICES])
    narrow = refreshed(issued.refresh_token, holder)
    change(holder, scope="orders:read orders:write", allowed_resources=BOTH)

    whole = members(refreshed(narrow["refresh_token"], holder)["access_token"], holder)

    assert (whole["scope"], whole["aud"]) == ("orders:read orders:write", BOTH)


@pytest.mark.parametrize(
    ("now", "form", "error"),
    [
        ({"scope": "further"}, {}, "invalid_scope"),
        ({"scope": "orders:read"}, {"scope": "orders:write"}, "invalid_scope"),
        ({"allowed_resources": ["urn:further"]}, {}, "invalid_target"),
        ({"allowed_resources": [AUDIENCE]}, {"resource": INVOICES}, "invalid_target"),
        ({"grant_types": []}, {}, "unauthorized_client"),
    ],
)
def test_a_refresh_beyond_the_clients_rights_is_refused_and_keeps_the_token(
    holder: Any, issued: Any, now: Any, form: Any, error: str
) -> None:
    before = {name: getattr(holder.client, name) for name in now}
    change(holder, **now)

    assert_refused(refresh(issued.refresh_token, holder, **form), 400, error)

    change(holder, **before)
    assert refresh(issued.refresh_token, holder).status_code == 200


def test_a_resource_that_the_server_no_longer_has_is_left_out_with_its_scopes(
    holder: Any, issued: Any, with_settings: Any
) -> None:
    with_settings(RESOURCES={INVOICES: {"SCOPES": ["orders:read"]}})

    answer = refreshed(issued.refresh_token, holder)

    assert (answer["scope"], members(answer["access_token"], holder)["aud"]) == ("orders:read", [INVOICES])


def test_a_grant_without_scope_and_resources_is_refreshed_whatever_the_client_may_have(holder: Any) -> None:
    issued = factories.TokenFactory(client=holder.client, scope="", audience=[], refresh=True)
    change(holder, scope="", allowed_resources=[])

    assert refresh(issued.refresh_token, holder).status_code == 200


class RollingBack:
    """A middleware with a transaction around each request, which it rolls back for an error."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        with transaction.atomic():
            response = self.get_response(request)
            transaction.set_rollback(response.status_code >= 400)
        return response


@pytest.mark.parametrize("cache", ["no cache", "cache", "broken cache"])
@pytest.mark.django_db(transaction=True)
def test_a_transaction_around_the_request_does_not_undo_the_end_of_a_grant(
    settings: Any, with_settings: Any, caplog: pytest.LogCaptureFixture, cache: str
) -> None:
    with_settings(REVOCATIONS=None if cache == "no cache" else {})
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    answer = refreshed(issued.refresh_token, holder)
    settings.MIDDLEWARE = [f"{__name__}.RollingBack", *settings.MIDDLEWARE]
    if cache == "broken cache":
        settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}

    assert refresh(issued.refresh_token, holder).status_code == (503 if cache == "broken cache" else 400)

    assert_dead(holder, answer["access_token"], answer["refresh_token"], issued.access_token)
    undone = "a transaction around the request undid the end of a grant, which was ended again"
    assert [line for line in caplog.messages if line.startswith(undone)]


@pytest.mark.parametrize("end", ["expired", "user inactive"])
def test_the_log_names_the_reason_of_a_refusal(
    holder: Any, user: Any, issued: Any, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    if end == "expired":
        Token.objects.update(expires_at=1)
    else:
        type(user).objects.update(is_active=False)
    caplog.set_level("INFO", "django_introspection")

    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant")

    assert f"refresh refused client={holder.client.client_id}: {end}" in caplog.messages


@pytest.mark.requirement("9700-4.14.2-d")
def test_a_refresh_token_that_is_not_used_ends(holder: Any, issued: Any, time_machine: Any, with_settings: Any) -> None:
    with_settings(REFRESH_TOKEN_IDLE=100)
    time_machine.move_to(START, tick=False)
    kept = factories.TokenFactory(client=holder.client, refresh=True).refresh_token
    left = factories.TokenFactory(client=holder.client, refresh=True).refresh_token
    time_machine.shift(99)
    kept = refreshed(kept, holder)["refresh_token"]
    time_machine.shift(1)

    assert_refused(refresh(left, holder), 400, "invalid_grant")
    assert refresh(kept, holder).status_code == 200


def test_no_token_of_a_grant_outlives_it_however_often_it_is_refreshed(
    holder: Any, time_machine: Any, with_settings: Any
) -> None:
    with_settings(REFRESH_TOKEN_LIFETIME=250, REFRESH_TOKEN_IDLE=100)
    time_machine.move_to(START, tick=False)
    value = factories.TokenFactory(client=holder.client, refresh=True).refresh_token
    for _ in range(3):
        time_machine.shift(80)
        answer = refreshed(value, holder)
        value = answer["refresh_token"]
    ends = [members(answer[name], holder)["exp"] for name in ("access_token", "refresh_token")]
    time_machine.shift(10)

    assert answer["expires_in"] == 10
    assert ends == [START.timestamp() + 250] * 2
    assert_refused(refresh(value, holder), 400, "invalid_grant")
    assert_inactive(endpoints.introspect(answer["access_token"], auth=holder))


@pytest.mark.parametrize(("own", "lives"), [(None, 3600), (600, 600), (99999, 3600)])
def test_a_client_may_have_shorter_lived_access_tokens_but_no_longer_ones(
    db: None, own: int | None, lives: int
) -> None:
    holder = factories.RegistrationFactory(
        grant_types=["refresh_token", "client_credentials"], access_token_lifetime=own
    )
    issued = factories.TokenFactory(client=holder.client, refresh=True)

    answer = refreshed(issued.refresh_token, holder)
    own_token = endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=holder).json()

    assert issued.expires_in == answer["expires_in"] == own_token["expires_in"] == lives


@pytest.mark.parametrize(("own", "grant", "first"), [(None, 5000, 300), (200, 200, 200), (99999, 5000, 300)])
@pytest.mark.django_db
def test_a_client_may_have_shorter_grants_but_no_longer_ones(
    time_machine: Any, with_settings: Any, own: int | None, grant: int, first: int
) -> None:
    with_settings(REFRESH_TOKEN_LIFETIME=5000, REFRESH_TOKEN_IDLE=300)
    time_machine.move_to(START, tick=False)
    factories.TokenFactory(client=factories.RegistrationFactory(refresh_token_lifetime=own).client, refresh=True)

    token = Token.objects.get(kind=TokenKind.REFRESH)

    assert token.grant_expires_at == START + timedelta(seconds=grant)
    assert token.expires_at == START + timedelta(seconds=first)


@pytest.mark.parametrize(
    ("refreshes", "given", "lives"),
    [(True, None, 60), (True, 61, 60), (True, 59, 59), (False, None, 3600), (False, 61, 61)],
)
@pytest.mark.django_db
def test_the_first_access_token_does_not_outlive_its_grant(
    time_machine: Any, refreshes: bool, given: int | None, lives: int
) -> None:
    time_machine.move_to(START, tick=False)
    client = factories.RegistrationFactory(refresh_token_lifetime=60).client
    lifetime = None if given is None else timedelta(seconds=given)

    issued = factories.TokenFactory(client=client, lifetime=lifetime, refresh=refreshes)

    assert issued.expires_in == lives
    assert Token.objects.get(kind=TokenKind.ACCESS).expires_at == START + timedelta(seconds=lives)


def test_a_grace_of_one_second_is_a_grace(holder: Any, issued: Any, with_settings: Any, time_machine: Any) -> None:
    with_settings(REFRESH_GRACE=1)
    time_machine.move_to(now(), tick=False)
    refreshed(issued.refresh_token, holder)

    assert refresh(issued.refresh_token, holder).status_code == 200


def test_the_log_names_why_a_refresh_token_that_was_never_used_is_refused(
    holder: Any, issued: Any, caplog: pytest.LogCaptureFixture
) -> None:
    type(issued.token.user).objects.update(is_active=False)

    with caplog.at_level(logging.INFO, "django_introspection"):
        assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant")

    (line,) = [record.getMessage() for record in caplog.records if "refresh refused" in record.getMessage()]
    assert "user" in line
    assert "revoked" not in line


def test_within_the_grace_a_repeat_replaces_the_unused_successor(
    holder: Any, issued: Any, reused: Any, with_settings: Any
) -> None:
    with_settings(REFRESH_GRACE=10)
    lost = refreshed(issued.refresh_token, holder)

    again = refreshed(issued.refresh_token, holder)

    assert_inactive(endpoints.introspect(lost["refresh_token"], auth=holder))
    assert_inactive(endpoints.introspect(lost["access_token"], auth=holder))
    assert is_active(again["access_token"], holder)
    assert is_active(issued.access_token, holder), "what was issued before stays"
    assert Token.objects.filter(kind=TokenKind.REFRESH, revoked_at=None).count() == 1
    assert reused == []
    assert refresh(again["refresh_token"], holder).status_code == 200


@pytest.mark.requirement("9700-4.14.2-b")
def test_a_replaced_successor_that_comes_is_in_two_hands_and_ends_the_grant(
    holder: Any, issued: Any, reused: Any, with_settings: Any
) -> None:
    with_settings(REFRESH_GRACE=10)
    lost = refreshed(issued.refresh_token, holder)
    again = refreshed(issued.refresh_token, holder)

    assert_refused(refresh(lost["refresh_token"], holder), 400, "invalid_grant")

    assert_dead(holder, again["refresh_token"], again["access_token"], issued.access_token)
    assert reused == [{"grant_id": issued.token.grant_id, "client": holder.client}]


def test_repeats_within_the_grace_leave_one_live_access_token(holder: Any, with_settings: Any) -> None:
    with_settings(REFRESH_GRACE=10)
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    for _ in range(4):
        last = refreshed(issued.refresh_token, holder)

    live = Token.objects.filter(kind=TokenKind.ACCESS, revoked_at=None).exclude(pk=issued.token.pk)
    assert [token.digest for token in live] == [opaque.digest(last["access_token"])]


@pytest.mark.django_db(transaction=True)
def test_the_access_token_of_a_replaced_answer_is_refused_by_caches_as_well(with_settings: Any) -> None:
    with_settings(REFRESH_GRACE=10, REVOCATIONS={})
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    lost, last = (refreshed(issued.refresh_token, holder)["access_token"] for _ in range(2))

    assert [revocations.is_revoked(opaque.digest(token)) for token in (lost, last)] == [True, False]


def test_within_the_grace_a_repeat_is_reuse_once_the_successor_was_used(
    holder: Any, issued: Any, reused: Any, with_settings: Any
) -> None:
    with_settings(REFRESH_GRACE=10)
    second = refreshed(issued.refresh_token, holder)
    third = refreshed(second["refresh_token"], holder)

    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant")

    assert_dead(holder, third["access_token"], third["refresh_token"])
    assert len(reused) == 1


@pytest.mark.parametrize(("grace", "seconds", "status"), [(10, 9, 200), (10, 10, 400), (1, 0, 200), (1, 1, 400)])
def test_the_grace_has_an_end(
    holder: Any, time_machine: Any, with_settings: Any, grace: int, seconds: int, status: int
) -> None:
    with_settings(REFRESH_GRACE=grace)
    time_machine.move_to(START, tick=False)
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    refreshed(issued.refresh_token, holder)
    time_machine.shift(seconds)

    assert refresh(issued.refresh_token, holder).status_code == status


@pytest.mark.parametrize("end", ["user", "expiry", "revocation"])
def test_the_grace_gives_nothing_back_that_has_ended(
    holder: Any, user: Any, issued: Any, with_settings: Any, end: str
) -> None:
    with_settings(REFRESH_GRACE=1000)
    successor = refreshed(issued.refresh_token, holder)["refresh_token"]
    if end == "user":
        type(user).objects.update(is_active=False)
    elif end == "expiry":
        Token.objects.update(expires_at=1)
    else:
        assert endpoints.post("/oauth/revoke", {"token": successor}, auth=holder).status_code == 200

    assert_refused(refresh(issued.refresh_token, holder), 400, "invalid_grant")

    assert not Token.objects.filter(revoked_at=None).exists()


def test_within_the_grace_a_wrong_scope_takes_nothing_back(holder: Any, issued: Any, with_settings: Any) -> None:
    with_settings(REFRESH_GRACE=10)
    successor = refreshed(issued.refresh_token, holder)["refresh_token"]

    assert_refused(refresh(issued.refresh_token, holder, scope="admin"), 400, "invalid_scope")

    assert is_active(successor, holder)


@pytest.mark.parametrize(
    ("form", "status"), [({"scope": "admin"}, 400), ({"resource": "urn:elsewhere"}, 400), ({}, 503)], ids=str
)
@pytest.mark.django_db(transaction=True)
def test_a_repeat_within_the_grace_that_fails_ends_nothing_anywhere(
    with_settings: Any, monkeypatch: pytest.MonkeyPatch, form: dict[str, str], status: int
) -> None:
    with_settings(REFRESH_GRACE=10, REVOCATIONS={})
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN], allowed_resources=BOTH)
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    answer = refreshed(issued.refresh_token, holder)
    revoked: list[Any] = []

    def receiver(tokens: Any, **_: Any) -> None:
        revoked.append(tokens)

    def fail(*_: Any) -> None:
        raise DatabaseError("disk full")

    if status == 503:
        monkeypatch.setattr("django_introspection.authorization_server.rotation.create_refresh_token", fail)
    signals.token_revoked.connect(receiver)
    try:
        assert refresh(issued.refresh_token, holder, **form).status_code == status
    finally:
        signals.token_revoked.disconnect(receiver)

    assert not revocations.is_revoked(opaque.digest(answer["access_token"]))
    assert revoked == []
    assert is_active(answer["access_token"], holder)
    assert is_active(answer["refresh_token"], holder)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cache", ["Broken", "Full"])
def test_a_repeat_within_the_grace_replaces_the_lost_answer_also_if_its_tombstone_cannot_be_written(
    settings: Any, with_settings: Any, cache: str
) -> None:
    with_settings(REFRESH_GRACE=10, REVOCATIONS={})
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    lost = refreshed(issued.refresh_token, holder)
    rows = Token.objects.filter(predecessor=Token.objects.get(digest=opaque.digest(issued.refresh_token)))
    access_token = rows.get(kind=TokenKind.ACCESS)
    settings.CACHES = {"default": {"BACKEND": f"tests.caches.{cache}Cache"}}
    revoked: list[Any] = []

    def receiver(tokens: Any, **_: Any) -> None:
        revoked.append(tokens)

    signals.token_revoked.connect(receiver)
    try:
        again = refreshed(issued.refresh_token, holder)
    finally:
        signals.token_revoked.disconnect(receiver)

    assert revoked == [[access_token.pk]]
    assert_inactive(endpoints.introspect(lost["access_token"], auth=holder))
    assert_inactive(endpoints.introspect(lost["refresh_token"], auth=holder))
    assert is_active(again["access_token"], holder)
    assert revocations.write_failed.is_set(), "the tombstone follows"
    settings.CACHES = {"default": services.cache()}
    assert restoring.restore_all() == 1
    assert revocations.is_revoked(access_token.digest)


@pytest.mark.requirement("6749-10.3-a")
def test_only_digests_of_refreshed_tokens_are_stored(holder: Any, issued: Any) -> None:
    answer = refreshed(issued.refresh_token, holder)

    stored = everything_stored()

    assert not [value for value in (answer["access_token"], answer["refresh_token"]) if value in stored]


def test_a_repeat_is_logged_with_its_grant_and_client_and_without_a_value(
    holder: Any, issued: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = refreshed(issued.refresh_token, holder)
    caplog.set_level("DEBUG")

    refresh(issued.refresh_token, holder)

    lines = [record.getMessage() for record in caplog.records if record.name == "django_introspection.security"]
    told = f"grant={issued.token.grant_id} client={holder.client.client_id}"
    assert f"refresh token reused {told}" in lines
    assert not [value for value in (issued.refresh_token, answer["refresh_token"]) if value in caplog.text]
