"""The command introspection_patterns: what it prints finds every generated value, and no cut one."""

from __future__ import annotations

import json
import re
import tomllib
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_introspection.protocol.opaque import KINDS, TokenPrefix

ROOT = Path(__file__).resolve().parents[2]
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("introspection_patterns", *arguments)
    return capsys.readouterr().out


@pytest.fixture(params=["dit", "acme"])
def prefix(request: Any, settings: Any) -> str:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "TOKEN_PREFIX": request.param}
    return str(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_one_rule_of_gitleaks_finds_each_value(kind: str, prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tomllib.loads(printed(capsys))["rules"]
    value = TokenPrefix(prefix).generate(kind)

    found = [rule for rule in rules if re.search(rule["regex"], f'TOKEN="{value}";')]

    assert len(rules) == 3
    assert len(found) == 1
    assert all(keyword in value for keyword in found[0]["keywords"])
    for other in (value[:-1], f"{value}0", f"x{value}", TokenPrefix("globex").generate(kind)):
        assert not any(re.search(rule["regex"], other) for rule in rules)


@pytest.mark.parametrize("kind", KINDS)
def test_one_custom_pattern_of_github_finds_each_value(
    kind: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    patterns = json.loads(printed(capsys, "--format", "github", "--json"))["patterns"]
    value = TokenPrefix(prefix).generate(kind)

    def matches(text: str) -> list[str]:
        found = []
        for each in patterns:
            after = each["after_secret"].replace(r"\z", r"\Z")  # Python's name of the same place
            if re.search(f"(?:{each['before_secret']})({each['secret_format']})(?:{after})", text):
                found.append(each["name"])
        return found

    assert len(matches(f"TOKEN={value}\n")) == len(matches(value)) == 1
    assert matches(f"{value}0") == matches(value[:-1]) == []


def test_the_file_in_the_documentation_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    file = tomllib.loads((ROOT / "docs" / "gitleaks.toml").read_text())

    assert tomllib.loads(printed(capsys)) == file


def test_former_prefixes_are_found_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    rules = tomllib.loads(printed(capsys, "--former-prefix", "acme", "--former-prefix", "dit"))["rules"]

    assert len(rules) == len({rule["id"] for rule in rules}) == 6
    value = TokenPrefix("acme").generate("at")
    assert sum(bool(re.search(rule["regex"], value)) for rule in rules) == 1


def test_a_former_prefix_is_a_prefix() -> None:
    with pytest.raises(CommandError, match="must be 2 to 20 lower-case letters"):
        call_command("introspection_patterns", "--former-prefix", "eyJ.")


def test_the_text_for_people_names_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert "secret_format: dit_at_[0-9A-Za-z]{49}" in printed(capsys, "--format", "github")


@pytest.mark.parametrize("kind", KINDS)
def test_the_checksum_is_the_one_in_the_documentation(kind: str, prefix: str) -> None:
    """A scanner that can calculate drops what merely looks like a value: six digits of base 62 of the CRC-32."""
    value = TokenPrefix(prefix).generate(kind)

    number = 0
    for digit in value[-6:]:
        number = number * 62 + ALPHABET.index(digit)

    assert number == zlib.crc32(value[:-6].encode())
