from __future__ import annotations

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_introspection.jose import read_signing_key
from tests import jose


def command_output(*arguments: str) -> str:
    out = StringIO()
    call_command("introspection_key", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def output_of(*arguments: str) -> str:
    return command_output("generate", *arguments)


@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_a_key_is_printed_as_pem_or_jwk_and_the_setting_takes_it(alg: str) -> None:
    pem, jwk = output_of("--alg", alg), json.loads(output_of("--alg", alg, "--json"))

    assert read_signing_key(pem, alg=alg).alg == alg
    assert (jwk["alg"], jwk["kid"], jwk["use"]) == (alg, read_signing_key(jwk).kid, "sig")


def test_a_file_with_a_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "signing.pem"

    said = output_of("--output", str(path))

    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert said == f"file: {path}\nalg: ES256\nkid: {read_signing_key(text).kid}\n"
    assert "PRIVATE KEY" not in said
    with pytest.raises(CommandError, match="never overwritten"):
        output_of("--output", str(path))
    assert path.read_text() == text


def test_a_place_that_cannot_be_written_is_said_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        output_of("--output", str(tmp_path / "missing" / "signing.pem"))


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("introspection_key", "--help")

    assert "manage.py introspection_key generate --alg ES256 --output" in capsys.readouterr().out


def test_a_file_with_a_jwk_is_told_by_an_object(tmp_path: Path) -> None:
    path = tmp_path / "signing.jwk"

    said = json.loads(output_of("--output", str(path), "--json"))

    assert said == {"file": str(path), "alg": "ES256", "kid": read_signing_key(json.loads(path.read_text())).kid}


def test_the_keys_of_the_setting_are_listed_without_their_private_halves(settings: Any) -> None:
    keys = [{"KEY": jose.pem("ES256")}, {"KEY": jose.pem("RS256")}]
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": keys}

    listed = json.loads(command_output("list", "--json"))["keys"]

    assert [key["alg"] for key in listed] == ["ES256", "RS256"]
    assert not [name for key in listed for name in key if name in ("d", "p", "q")]
    assert [line.split("\t")[1:] for line in command_output("list").splitlines()] == [
        ["ES256", "signs"],
        ["RS256", "published"],
    ]


def test_a_key_that_cannot_be_used_fails_the_list(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"ENV": "NO_SUCH_VARIABLE"}]}

    with pytest.raises(
        CommandError, match=r"\['SIGNING_KEYS'\]\[0\] cannot be used: the variable named by 'ENV' is not set"
    ):
        command_output("list")
