from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command, execute_from_command_line
from django.core.management.base import CommandError

from django_introspection.models import Token
from tests import factories
from tests.authorization_server.helpers import without_table


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

    with pytest.raises(CommandError, match="Revoked, but the cache") as raised:
        revoke("--grant", str(issued.token.grant_id))

    assert raised.value.returncode == 3
    assert live() == 0
