"""Patterns by which secret scanners find what a deployment generates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..protocol.opaque import ACCESS_TOKEN, CLIENT_SECRET, GENERATED_LENGTH, REFRESH_TOKEN

NAMES = {ACCESS_TOKEN: "access token", REFRESH_TOKEN: "refresh token", CLIENT_SECRET: "client secret"}


def beginning(prefix: str, kind: str) -> str:
    """Return what every value of a kind begins with."""
    return f"{prefix}_{kind}_"


def pattern(prefix: str, kind: str) -> str:
    """Return the regular expression of a value without what surrounds it: RE2, PCRE, Hyperscan and Python read it."""
    return f"{beginning(prefix, kind)}[0-9A-Za-z]{{{GENERATED_LENGTH}}}"


def gitleaks(prefixes: Iterable[str]) -> str:
    """Return the rules for gitleaks, as TOML."""
    rules = [_gitleaks_rule(prefix, kind, name) for prefix in prefixes for kind, name in NAMES.items()]
    return "\n".join(['title = "Tokens and client secrets of django-introspection"\n', *rules])


def github(prefixes: Iterable[str]) -> list[Mapping[str, str]]:
    """Return the fields of custom patterns of GitHub's secret scanning, one mapping for each kind of value."""
    return [
        {
            "name": f"{prefix} {name}",
            "secret_format": pattern(prefix, kind),
            "before_secret": r"\A|[^0-9A-Za-z]",
            "after_secret": r"\z|[^0-9A-Za-z]",
        }
        for prefix in prefixes
        for kind, name in NAMES.items()
    ]


def _gitleaks_rule(prefix: str, kind: str, name: str) -> str:
    begin = beginning(prefix, kind)
    return (
        "[[rules]]\n"
        f'id = "{"django-introspection" if prefix == "dit" else prefix}-{name.replace(" ", "-")}"\n'
        f'description = "{name.capitalize()} of {"django-introspection" if prefix == "dit" else prefix}"\n'
        f"regex = '''\\b{pattern(prefix, kind)}\\b'''\n"
        f'keywords = ["{begin}"]\n'
    )
