"""A process that is killed before any of its steps loses nothing that it acknowledged, and leaves nothing half done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.db import connection

from django_introspection import revocations
from django_introspection.authorization_server import restoring
from django_introspection.models import ClientSecret, GrantType, Token, TokenKind
from django_introspection.models.fields import now
from tests import endpoints, factories, jose
from tests.redis_server import RedisServer
from tests.settings import AUDIENCE

from .killing import Jobs, Outcome, do_not_wait_for_the_disk, jobs

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is not installed"),
]

REFRESH = [GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN, GrantType.TOKEN_EXCHANGE]
EXCHANGED = "urn:ietf:params:oauth:token-type:access_token"
Judge = Callable[[Outcome], None]
MOST = 200
"""More steps than any job has."""


@pytest.fixture
def configured(settings: Any, in_redis: RedisServer) -> Any:
    """Tombstones in Redis, and a key to sign JWTs."""
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}],
        "REVOCATIONS": {},
        "REVOKE_ON_PASSWORD_CHANGE": True,
        "REFRESH_GRACE": 0,
    }
    revocations.set_markers()
    return settings


class World:
    """What a test arranges for each kill, and how it looks at the state afterwards."""

    def __init__(self) -> None:
        self.api = factories.ResourceServerFactory()

    def holder(self, **metadata: Any) -> Any:
        metadata = {"grant_types": REFRESH, "resources": [AUDIENCE], **metadata}
        return factories.RegistrationFactory(**metadata)

    def grant(self, holder: Any, user: Any = None) -> Any:
        return factories.TokenFactory(client=holder.client, user=user or factories.UserFactory(), refresh=True)

    def exchange(self, holder: Any, token: str) -> str:
        form = {"grant_type": GrantType.TOKEN_EXCHANGE.value, "subject_token": token, "subject_token_type": EXCHANGED}
        answer = endpoints.post("/oauth/token", form, auth=holder)
        assert answer.status_code == 200, answer.content
        value: str = answer.json()["access_token"]
        return value

    def refresh(self, holder: Any, token: str) -> Any:
        return endpoints.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token}, auth=holder)

    def is_active(self, token: str) -> bool:
        """Return what the endpoint says."""
        answer = endpoints.introspect(token, auth=self.api)
        assert answer.status_code == 200
        return bool(answer.json()["active"])


@pytest.fixture
def world(configured: Any, database_url: str) -> World:
    do_not_wait_for_the_disk()
    return World()


@pytest.fixture(scope="module")
def running() -> Iterator[Jobs]:
    with jobs() as process:
        yield process


@pytest.fixture
def kill(world: World, running: Jobs, configured: Any) -> Callable[..., None]:
    """Arrange, kill before step n and judge, for every n until the job ends by itself."""
    values = {name: getattr(configured, name) for name in ("CACHES", "TOKEN_INTROSPECTION")}
    values["database"] = connection.settings_dict["NAME"]

    def at_every_step(arrange: Callable[[], tuple[str, dict[str, Any], Judge]], least: int) -> None:
        steps: list[str] = []
        for number in range(1, MOST):
            name, arguments, judge = arrange()
            outcome = running.run(name, values, kill_before=number, **arguments)
            try:
                judge(outcome)
            except AssertionError as error:
                error.add_note(f"killed before step {number}: {outcome.step}, after {steps}")
                raise
            if not outcome.was_killed:
                break
            steps.append(outcome.step)
        assert outcome.acknowledged, "it did not end by itself"
        assert len(steps) >= least, steps

    return at_every_step


def asking(path: str, auth: Any, **form: str) -> tuple[str, dict[str, Any]]:
    authorization = endpoints.basic(auth.client.client_id, auth.secret)
    return "request", {"path": path, "body": urlencode(form), "authorization": authorization}


def assert_ended(world: World, rows: list[Token]) -> None:
    """Assert that tokens are inactive in the table, in caches and for those who verify a JWT."""
    live = Token.objects.filter(pk__in=[row.pk for row in rows], revoked_at=None)
    assert not live.exists()
    assert_tombstones(rows)


def assert_tombstones(rows: list[Token]) -> None:
    assert all(revocations.is_revoked(bytes(row.digest)) for row in rows if row.kind == TokenKind.ACCESS)


def ended(rows: list[Token]) -> list[Token]:
    """Return the tokens among these that the table does not have as live any more."""
    live = set(Token.objects.filter(pk__in=[row.pk for row in rows], revoked_at=None).values_list("pk", flat=True))
    return [row for row in rows if row.pk not in live]


@pytest.mark.parametrize(("presented", "form"), [("access_token", "opaque"), ("refresh_token", "jwt")])
def test_a_revocation_is_whole_when_it_was_acknowledged_and_can_be_repeated(
    kill: Any, world: World, form: str, presented: str
) -> None:
    holder = world.holder(access_token_format=form)

    def arrange() -> Any:
        issued = world.grant(holder)
        exchanged = world.exchange(holder, issued.access_token)
        rows = list(Token.objects.filter(grant_id=issued.token.grant_id))
        if presented == "access_token":
            rows = [row for row in rows if row.kind == TokenKind.ACCESS]
        value = getattr(issued, presented)

        def judge(outcome: Outcome) -> None:
            assert_tombstones(ended(rows))
            if outcome.acknowledged is None:
                assert endpoints.post("/oauth/revoke", {"token": value}, auth=holder).status_code == 200
            else:
                assert outcome.acknowledged[0] == 200
            assert_ended(world, rows)
            assert not world.is_active(issued.access_token)
            assert not world.is_active(exchanged)

        return *asking("/oauth/revoke", holder, token=value), judge

    kill(arrange, least=10)


def test_a_refresh_without_grace_is_applied_whole_or_not_at_all(kill: Any, world: World) -> None:
    """The documented loss: an answer that was lost after the COMMIT ends the grant when the client repeats."""
    holder = world.holder()

    def arrange() -> Any:
        issued = world.grant(holder)

        def judge(outcome: Outcome) -> None:
            grant = Token.objects.filter(grant_id=issued.token.grant_id)
            assert_one_live_refresh_token(grant)
            answer = outcome.acknowledged and outcome.acknowledged[1]
            if answer is None:
                was_used = grant.filter(rotated_at__isnull=False).exists()
                repeated = world.refresh(holder, issued.refresh_token)
                assert repeated.status_code == (400 if was_used else 200), repeated.content
                answer = None if was_used else repeated.json()
            if answer is None:
                assert_ended(world, list(grant))
            else:
                assert world.is_active(answer["access_token"])
                assert world.refresh(holder, answer["refresh_token"]).status_code == 200

        form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
        return *asking("/oauth/token", holder, **form), judge

    kill(arrange, least=6)


@pytest.mark.parametrize("was_refreshed", [False, True], ids=["first use", "repeat"])
def test_a_refresh_within_its_grace_can_be_repeated_after_a_kill(
    kill: Any, world: World, configured: Any, was_refreshed: bool
) -> None:
    configured.TOKEN_INTROSPECTION["REFRESH_GRACE"] = 600
    configured.TOKEN_INTROSPECTION = {**configured.TOKEN_INTROSPECTION}
    holder = world.holder()

    def arrange() -> Any:
        issued = world.grant(holder)
        lost = world.refresh(holder, issued.refresh_token).json() if was_refreshed else None

        def judge(outcome: Outcome) -> None:
            grant = Token.objects.filter(grant_id=issued.token.grant_id)
            assert_one_live_refresh_token(grant)
            assert_tombstones([row for row in grant if row.revoked_at is not None])
            answer = outcome.acknowledged and outcome.acknowledged[1]
            if answer is None:
                repeated = world.refresh(holder, issued.refresh_token)
                assert repeated.status_code == 200, repeated.content
                answer = repeated.json()
            assert_one_live_refresh_token(grant)
            assert world.is_active(answer["access_token"])
            if lost is not None:
                assert not world.is_active(lost["access_token"])
            assert world.refresh(holder, answer["refresh_token"]).status_code == 200

        form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
        return *asking("/oauth/token", holder, **form), judge

    kill(arrange, least=6)


def assert_one_live_refresh_token(grant: Any) -> None:
    """Assert that a grant has no second live refresh token, and no used one or successor that stands alone."""
    rows = {row.pk: row for row in grant}
    of_refresh = [row for row in rows.values() if row.kind == TokenKind.REFRESH]
    assert sum(row.revoked_at is None for row in of_refresh) == 1
    for row in of_refresh:
        successors = [each for each in rows.values() if each.predecessor_id == row.pk]
        kinds = {each.kind for each in successors}
        assert kinds == ({TokenKind.ACCESS, TokenKind.REFRESH} if row.rotated_at and not row.revoked_by else set())


def test_the_end_of_a_grant_whose_used_token_came_again_can_be_repeated(kill: Any, world: World) -> None:
    holder = world.holder()

    def arrange() -> Any:
        issued = world.grant(holder)
        assert world.refresh(holder, issued.refresh_token).status_code == 200
        rows = list(Token.objects.filter(grant_id=issued.token.grant_id))

        def judge(outcome: Outcome) -> None:
            before = {row.pk for row in rows if row.revoked_at is not None}
            assert_tombstones([row for row in ended(rows) if row.pk not in before])
            if outcome.acknowledged is None:
                assert world.refresh(holder, issued.refresh_token).status_code == 400
            else:
                assert outcome.acknowledged[0] == 400
            assert_ended(world, rows)

        form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
        return *asking("/oauth/token", holder, **form), judge

    kill(arrange, least=10)


def test_tokens_are_issued_together_or_not_at_all(kill: Any, world: World) -> None:
    holder, user = world.holder(), factories.UserFactory()

    def arrange() -> Any:
        Token.objects.all()._raw_delete("default")  # type: ignore[attr-defined]  # without tombstones

        def judge(outcome: Outcome) -> None:
            kinds = sorted(Token.objects.values_list("kind", flat=True))
            assert kinds in ([], ["access", "refresh"])
            if outcome.acknowledged is not None:
                access_token, refresh_token = outcome.acknowledged
                assert world.is_active(access_token)
                assert world.refresh(holder, refresh_token).status_code == 200

        return "issue", {"client": str(holder.client.pk), "user": user.pk}, judge

    kill(arrange, least=5)


@pytest.mark.parametrize("owner", ["token", "client", "user"])
def test_a_deletion_is_whole_when_it_was_acknowledged_and_can_be_repeated(kill: Any, world: World, owner: str) -> None:
    of_client: Any = world.holder()

    def arrange() -> Any:
        holder = world.holder() if owner == "client" else of_client
        issued = world.grant(holder)
        exchanged = world.exchange(holder, issued.access_token)
        row: Any = {"token": issued.token, "client": holder.client, "user": issued.token.user}[owner]
        rows = list(Token.objects.filter(grant_id=issued.token.grant_id, kind=TokenKind.ACCESS))

        def judge(outcome: Outcome) -> None:
            assert_tombstones(ended(rows))
            if outcome.acknowledged is None:
                type(row)._default_manager.filter(pk=row.pk).delete()
            assert not type(row)._base_manager.filter(pk=row.pk).exists()
            assert_ended(world, rows)
            assert not world.is_active(issued.access_token)
            assert not world.is_active(exchanged)

        return "delete", {"model": row._meta.label, "pk": str(row.pk)}, judge

    kill(arrange, least=5)


def by_save(row: Any) -> tuple[str, dict[str, Any]]:
    return "save", {"model": row._meta.label, "pk": str(row.pk), "values": {"is_active": False}}


def by_command(row: Any) -> tuple[str, dict[str, Any]]:
    return "command", {"line": ["introspection_client", "disable", row.client_id]}


def repeat_it(row: Any, way: Any) -> None:
    if way is by_command:
        call_command(*way(row)[1]["line"], stdout=StringIO())
    else:
        row.is_active = False
        row.save()


def wait_for_the_next_look(*_: Any) -> None:
    """Look for what a process left unfinished, as any request does a minute later."""
    restoring._look_for_markers.reset()
    restoring.restore_if_needed()


@pytest.mark.parametrize("mend", [repeat_it, wait_for_the_next_look])
@pytest.mark.parametrize(("owner", "way"), [("client", by_save), ("client", by_command), ("user", by_save)])
def test_a_disabling_reaches_caches_also_if_its_process_died(
    kill: Any, world: World, monkeypatch: pytest.MonkeyPatch, owner: str, way: Any, mend: Any
) -> None:
    monkeypatch.setattr(revocations, "LONGEST_CHANGE", -1)

    def arrange() -> Any:
        issued = world.grant(world.holder())
        row = getattr(issued.token, owner)

        def judge(outcome: Outcome) -> None:
            if outcome.acknowledged is None:
                row.refresh_from_db()
                mend(row, way)
            row.refresh_from_db()
            assert outcome.acknowledged is None or not row.is_active
            assert world.is_active(issued.access_token) is row.is_active
            assert revocations.is_revoked(issued.token.digest) is not row.is_active

        return *way(row), judge

    kill(arrange, least=4)


def test_an_enabling_that_died_accepts_nothing_too_early_and_is_mended_by_another_one(kill: Any, world: World) -> None:
    """Until then caches refuse what the endpoint accepts."""

    def arrange() -> Any:
        issued = world.grant(world.holder())
        client: Any = issued.token.client
        client.is_active = False
        client.save()

        def judge(outcome: Outcome) -> None:
            client.refresh_from_db()
            assert world.is_active(issued.access_token) is client.is_active
            assert client.is_active or revocations.is_revoked(issued.token.digest)
            for is_active in () if outcome.acknowledged else (False, True):
                client.is_active = is_active
                client.save()
            assert world.is_active(issued.access_token)
            assert not revocations.is_revoked(issued.token.digest)

        return "save", {"model": client._meta.label, "pk": str(client.pk), "values": {"is_active": True}}, judge

    kill(arrange, least=4)


def test_a_change_of_password_that_was_saved_has_ended_the_tokens(kill: Any, world: World) -> None:
    """The user sees the new password work, and has no reason to repeat."""
    holder = world.holder()

    def arrange() -> Any:
        issued = world.grant(holder)
        user = issued.token.user
        rows = list(Token.objects.filter(grant_id=issued.token.grant_id))

        def judge(outcome: Outcome) -> None:
            user.refresh_from_db()
            assert_tombstones(ended(rows))
            if user.password != "!":
                assert_ended(world, rows)
            elif outcome.acknowledged is None:
                user.set_password("new")
                user.save()
            assert_ended(world, rows)

        arguments = {"model": user._meta.label, "pk": user.pk, "values": {"password": "new"}}
        return "save", arguments, judge

    kill(arrange, least=4)


def test_a_secret_expires_only_together_with_the_birth_of_the_next_one(kill: Any, world: World) -> None:
    def arrange() -> Any:
        client = world.holder().client
        line = ["introspection_client", "rotate", client.client_id, "--expire-others-in", "1h"]

        def judge(outcome: Outcome) -> None:
            secrets = list(ClientSecret.objects.filter(client=client).order_by("pk"))
            has_ended = [secret.expires_at is not None for secret in secrets]
            assert has_ended in ([False], [True, False])
            assert outcome.acknowledged is None or len(secrets) == 2

        return "command", {"line": line}, judge

    kill(arrange, least=4)


def test_a_purge_deletes_expired_rows_alone_and_can_be_repeated(kill: Any, world: World) -> None:
    holder = world.holder()

    def arrange() -> Any:
        kept = world.grant(holder)
        old = world.grant(holder)
        Token.objects.filter(grant_id=old.token.grant_id).update(expires_at=now() - timedelta(days=2))

        def judge(outcome: Outcome) -> None:
            if outcome.acknowledged is None:
                call_command("introspection_purge", stdout=StringIO())
            assert not Token.objects.filter(grant_id=old.token.grant_id).exists()
            assert world.is_active(kept.access_token)
            assert world.refresh(holder, kept.refresh_token).status_code == 200

        return "command", {"line": ["introspection_purge"]}, judge

    kill(arrange, least=4)
