from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.core.management import call_command, execute_from_command_line
from django.core.management.base import CommandError

from django_introspection.models import Token
from tests import endpoints, factories
from tests.authorization_server.helpers import without_table
from tests.backends.issuers import access_token, jwt_settings
from tests.misbehaving.server import MisbehavingServer, refusing_url, remote_settings
from tests.settings import AUDIENCE


@pytest.fixture
def issued(user: Any) -> Any:
    """An access and a refresh token of a user, beside tokens of somebody else."""
    factories.TokenFactory(user=factories.UserFactory(), refresh=True)
    return factories.TokenFactory(user=user, refresh=True)


def revoke(*arguments: str) -> str:
    out = io.StringIO()
    call_command("introspection_token", "revoke", *arguments, stdout=out)
    return out.getvalue()


def live() -> int:
    return Token.objects.filter(revoked_at=None).count()


@pytest.mark.parametrize(
    ("option", "revoked"), [("--token-id", 1), ("--grant", 2), ("--client", 2), ("--user", 2)], ids=str
)
def test_each_option_names_what_to_revoke(issued: Any, option: str, revoked: int) -> None:
    token = issued.token
    name = {
        "--token-id": str(token.pk),
        "--grant": str(token.grant_id),
        "--client": token.client.client_id,
        "--user": token.user.get_username(),
    }[option]

    assert json.loads(revoke(option, name, "--json")) == {"revoked": revoked}
    assert live() == 4 - revoked
    assert set(Token.objects.exclude(revoked_at=None).values_list("revoked_by", flat=True)) == {
        "manage.py introspection_token"
    }
    assert revoke(option, name) == "Revoked: 0\n"


def test_a_refresh_token_takes_its_grant_with_it(issued: Any) -> None:
    refresh_token = Token.objects.get(kind="refresh", user=issued.token.user)

    assert revoke("--token-id", str(refresh_token.pk)) == "Revoked: 2\n"


@pytest.mark.parametrize("option", ["--token-id", "--client", "--user"])
def test_what_does_not_exist_is_said_with_exit_code_1(db: None, option: str) -> None:
    with pytest.raises(CommandError, match="does not exist") as raised:
        revoke(option, str(uuid4()))

    assert raised.value.returncode == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "arguments",
    [[], ["--token-id", "not-a-uuid"], ["--client", "a", "--user", "b"], ["--everything"]],
    ids=str,
)
def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        execute_from_command_line(["manage.py", "introspection_token", "revoke", *arguments])

    assert raised.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_exit_code_3() -> None:
    with without_table(Token), pytest.raises(CommandError, match="The database does not answer") as raised:
        revoke("--grant", str(uuid4()))

    assert raised.value.returncode == 3


@pytest.mark.django_db(transaction=True)
def test_a_cache_that_does_not_answer_is_exit_code_3_and_the_tokens_are_revoked(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    cache = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path / "cache")}
    settings.CACHES = {"default": cache}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    issued = factories.TokenFactory()

    with pytest.raises(CommandError, match="were revoked, but the cache") as raised:
        revoke("--grant", str(issued.token.grant_id))

    assert raised.value.returncode == 3
    assert live() == 0


def test_a_server_that_is_down_is_named_with_the_next_step(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "a-token")
    with refusing_url() as url:
        settings.TOKEN_INTROSPECTION = remote_settings(url)

        with pytest.raises(CommandError) as raised:
            call_command("introspection_token", "inspect", "--token-env", "TOKEN")

    down = f"{urlsplit(url).netloc} cannot be reached: ConnectError (ConnectionRefusedError)"
    assert str(raised.value) == f"Unavailable: {down}. Try again later; manage.py introspection_doctor finds the cause."
    assert raised.value.returncode == 3


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("introspection_token", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def inspect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Inspect a token of the environment; returns the members and the exit code."""

    def one(token: str, *arguments: str) -> tuple[Any, int]:
        monkeypatch.setenv("TOKEN", token)
        out, raised = io.StringIO(), []
        try:
            call_command("introspection_token", "inspect", "--token-env", "TOKEN", *arguments, "--json", stdout=out)
        except CommandError as error:
            raised.append(error)
        assert token not in out.getvalue() + "".join(map(str, raised))
        return json.loads(out.getvalue() or "null"), sum(error.returncode for error in raised)

    return one


def test_a_token_is_issued_as_the_token_endpoint_answers(machine: Any, user: Any, inspect: Any) -> None:
    issued = run(
        *("issue", "--client", machine.client.client_id, "--user", user.get_username(), "--scope", "orders:read"),
        *("--audience", AUDIENCE, "--audience", "urn:other", "--lifetime", "10m", "--refresh"),
    )

    row = Token.objects.get(kind="access")
    assert issued.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope", "jti"}
    assert (issued["token_type"], issued["expires_in"], issued["scope"]) == ("Bearer", 600, "orders:read")
    assert (issued["jti"], row.user, row.audience) == (str(row.pk), user, [AUDIENCE, "urn:other"])
    assert endpoints.introspect(issued["access_token"], auth=machine).json()["active"] is True
    assert endpoints.introspect(issued["refresh_token"], auth=machine).json()["active"] is True


def test_a_token_of_a_machine_has_no_user_and_no_refresh_token(machine: Any) -> None:
    issued = run("issue", "--client", machine.client.client_id)

    assert "refresh_token" not in issued
    assert Token.objects.get().user is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--client", "nobody"], "The client does not exist"),
        (["--client", "api", "--user", "nobody"], r"^The user does not exist\.$"),
        (["--client", "api", "--scope", '"'], "Enter scopes with one space between"),
        (["--client", "api", "--lifetime", "0"], "A lifetime is one second or more"),
        (["--client", "disabled"], "not active"),
    ],
    ids=str,
)
@pytest.mark.django_db
def test_what_cannot_be_issued_is_refused(arguments: list[str], problem: str) -> None:
    factories.RegistrationFactory(client_id="api")
    factories.RegistrationFactory(client_id="disabled", is_active=False)

    with pytest.raises(CommandError, match=problem) as raised:
        run("issue", *arguments)

    assert raised.value.returncode == 1
    assert not Token.objects.exists()


def test_an_active_token_is_told_with_every_member(issued: Any, inspect: Any) -> None:
    members, code = inspect(issued.access_token)

    assert code == 0
    assert (members["active"], members["jti"]) == (True, str(issued.token.pk))
    assert members["exp"] == int(issued.token.expires_at.timestamp())


def test_a_token_that_is_not_active_is_told_with_the_reason(issued: Any, inspect: Any) -> None:
    revoke("--token-id", str(issued.token.pk))

    assert inspect(issued.access_token) == (
        {"active": False, "reason": "revoked", "asked": ["backend default: revoked"]},
        4,
    )
    refused, code = inspect(issued.refresh_token)
    assert (refused["reason"], refused["expected"], code) == ("not an access token", "token_type 'Bearer' or 'DPoP'", 4)


def test_a_rejection_names_what_was_expected_and_what_was_found(machine: Any, inspect: Any) -> None:
    elsewhere = factories.TokenFactory(client=machine.client, audience=["urn:elsewhere"])

    assert inspect(elsewhere.access_token, "--using", "default") == (
        {
            "active": False,
            "reason": "wrong audience",
            "expected": f"aud '{AUDIENCE}'",
            "found": "aud 'urn:elsewhere'",
            "asked": ["backend default: wrong audience"],
        },
        4,
    )


def test_an_algorithm_that_is_not_accepted_is_named_with_its_option(settings: Any, inspect: Any) -> None:
    aliases = {"default": jwt_settings("https://id.example.com", algorithms=["ES384"])}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "BACKENDS": aliases}

    assert inspect(access_token("https://id.example.com")) == (
        {
            "active": False,
            "reason": "algorithm not accepted",
            "expected": "alg 'ES384' (option algorithms)",
            "found": "alg 'ES256'",
            "asked": ["backend default: algorithm not accepted"],
        },
        4,
    )


def test_the_scope_of_a_view_is_checked_if_it_is_named(issued: Any, inspect: Any) -> None:
    assert inspect(issued.access_token, "--scope", "orders:read")[1] == 0

    refused, code = inspect(issued.access_token, "--scope", "orders:read orders:write")

    assert code == 4
    assert (refused["reason"], refused["expected"], refused["found"]) == (
        "insufficient scope",
        "scope 'orders:read', 'orders:write'",
        "scope 'orders:read'",
    )


@pytest.mark.parametrize("arguments", [["--scope", '"'], ["--scope", "a", "--caller", "orders-api"]], ids=str)
def test_a_scope_that_means_nothing_is_refused(issued: Any, inspect: Any, arguments: list[str]) -> None:
    assert inspect(issued.access_token, *arguments) == (None, 1)


def test_a_server_that_does_not_answer_is_exit_code_3(settings: Any, inspect: Any) -> None:
    with MisbehavingServer("status 500") as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        assert inspect("a-token") == (None, 3)


def test_a_caller_is_told_what_the_endpoint_tells_it(issued: Any, inspect: Any) -> None:
    api = factories.ResourceServerFactory()
    stranger = factories.ResourceServerFactory(resources=["urn:elsewhere"])

    members, code = inspect(issued.access_token, "--caller", api.client.client_id)

    assert (members, code) == (endpoints.introspect(issued.access_token, auth=api).json(), 0)
    assert inspect(issued.access_token, "--caller", stranger.client.client_id) == (
        {
            "active": False,
            "reason": "not for this caller",
            "expected": "aud 'urn:elsewhere'",
            "found": f"aud '{AUDIENCE}'",
        },
        4,
    )


@pytest.mark.parametrize("metadata", [{"is_active": False}, {"introspection_policy": "none"}], ids=str)
def test_a_caller_that_the_endpoint_refuses_is_refused(issued: Any, inspect: Any, metadata: dict[str, Any]) -> None:
    caller = factories.ResourceServerFactory(**metadata)

    assert inspect(issued.access_token, "--caller", caller.client.client_id) == (None, 1)
    assert endpoints.introspect(issued.access_token, auth=caller).status_code in (401, 403)


def test_a_caller_or_a_backend_is_asked_and_not_both(issued: Any, inspect: Any) -> None:
    assert inspect(issued.access_token, "--caller", "a", "--using", "b") == (None, 1)
