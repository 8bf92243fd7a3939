"""The shapes of real authorization servers, one JSON file each: read and validated.

The files hold facts alone: names of members, types, addresses, status codes. Every value is made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
READS = ("scopes", "client_id", "username", "sub", "audiences", "machine", "roles")

_SERVER = {"server", "guide", "sources", "notes", "issuers", "setups", "tokens"}
_SOURCE = {"product", "version", "page"}
_ISSUER = {"name", "issuer", "metadata", "introspection", "signing", "algorithms_confirmed"}
_INTROSPECTION = {
    *("endpoint", "auth_methods", "content_type", "unknown_token", "unknown_jwt", "wrong_credentials"),
    *("confirmed", "sources", "notes"),
}
_TOKEN = {
    *("name", "issuer", "kind", "format", "prefix", "holder", "header", "claims", "answer"),
    *("reads", "reads_in", "expect", "confirmed", "sources", "notes"),
}
_OF_OTHER_JWTS = ("audience_required", "audience_claim")
"""Options that a JWT of RFC 9068 cannot have."""
_ANSWER = {"status", "content_type", "headers", "body"}


@dataclass(frozen=True)
class Setup:
    """The OPTIONS of a backend, as the guide of the server prints them."""

    server: str
    name: str
    options: Mapping[str, Any]

    @property
    def backend(self) -> str:
        return "JWTBackend" if self.is_jwt else "RemoteBackend"

    @property
    def is_jwt(self) -> bool:
        return self.name.startswith("jwt")

    @property
    def has_secret(self) -> bool:
        return "client_secret" in self.options

    @property
    def strict(self) -> dict[str, Any]:
        """The same options, and the one that asks for more evidence of an access token."""
        if not self.is_jwt:
            return {**self.options, "require_token_type": True}
        kept = {name: value for name, value in self.options.items() if name not in _OF_OTHER_JWTS}
        return {**kept, "require_at_jwt": True}


@dataclass(frozen=True)
class Token:
    """A token that the server issues, what it answers about it, and what a resource server must make of it."""

    name: str
    issuer: str
    kind: str
    format: str
    expect: Mapping[str, int]
    confirmed: bool
    sources: tuple[str, ...] = ()
    notes: str = ""
    prefix: str = ""
    holder: str | None = None
    header: Mapping[str, Any] | None = None
    claims: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    reads: Mapping[str, Any] | None = None
    reads_in: Mapping[str, Mapping[str, Any]] | None = None

    def reads_with(self, setup: str) -> dict[str, Any]:
        """Return what a view must read with a setup; absent means nothing."""
        return {**(self.reads or {}), **(self.reads_in or {}).get(setup, {})}


@dataclass(frozen=True)
class Server:
    """A product, as one file describes it."""

    name: str
    title: str
    guide: str | None
    sources: Mapping[str, Mapping[str, str]]
    issuers: tuple[Mapping[str, Any], ...]
    setups: tuple[Setup, ...]
    tokens: tuple[Token, ...]

    def token(self, name: str) -> Token:
        return next(token for token in self.tokens if token.name == name)


def names() -> list[str]:
    return sorted(path.stem for path in DATA.glob("*.json"))


@cache
def load(name: str) -> Server:
    document = read(name)
    setups = {each: options for each, options in document["setups"].items() if options is not None}
    return Server(
        name=name,
        title=document["server"],
        guide=document["guide"],
        sources=document["sources"],
        issuers=tuple(document["issuers"]),
        setups=tuple(Setup(name, each, options) for each, options in setups.items()),
        tokens=tuple(Token(**token) for token in document["tokens"]),
    )


def read(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def problems(document: Any) -> list[str]:
    """Return what is wrong with a file, as sentences."""
    if unknown := document.keys() ^ _SERVER:
        return [f"missing or unknown: {sorted(unknown)}"]
    return [
        *_source_problems(document),
        *(problem for issuer in document["issuers"] for problem in _issuer_problems(issuer)),
        *_setup_problems(document),
        *_coverage_problems(document),
        *(problem for token in document["tokens"] for problem in _token_problems(document, token)),
    ]


def _source_problems(document: Any) -> Iterator[str]:
    for key, source in document["sources"].items():
        if source.keys() != _SOURCE or not all(isinstance(value, str) and value for value in source.values()):
            yield f"source {key} needs {sorted(_SOURCE)}"
        elif not source["page"].startswith("https://"):
            yield f"source {key} names no page"
    claims = [*document["tokens"], *(each["introspection"] for each in document["issuers"] if each["introspection"])]
    for claim in claims:
        place = claim.get("name") or claim["endpoint"]
        if unknown := set(claim["sources"]) - document["sources"].keys():
            yield f"{place}: unknown sources {sorted(unknown)}"
        if claim["confirmed"] and not claim["sources"]:
            yield f"{place}: confirmed by no source"
        if not claim["confirmed"] and not claim.get("notes"):
            yield f"{place}: not confirmed, and no notes say what is missing"
    cited = {key for claim in claims for key in claim["sources"]}
    if uncited := document["sources"].keys() - cited:
        yield f"sources that nothing cites: {sorted(uncited)}"


def _issuer_problems(issuer: Any) -> Iterator[str]:
    if unknown := issuer.keys() ^ _ISSUER:
        yield f"issuer {issuer.get('name')}: missing or unknown {sorted(unknown)}"
        return
    introspection = issuer["introspection"]
    if introspection and (unknown := introspection.keys() - _INTROSPECTION):
        yield f"introspection of {issuer['name']}: unknown {sorted(unknown)}"


def _setup_problems(document: Any) -> Iterator[str]:
    for name, options in document["setups"].items():
        if not name.startswith(("remote", "jwt")):
            yield f"setup {name} does not begin with remote or jwt"
        if options is None and not document["notes"]:
            yield f"setup {name} is null, and no notes say why"


def _coverage_problems(document: Any) -> Iterator[str]:
    """Yield what a file must have, so that no test of it passes for want of a token."""
    for name, options in document["setups"].items():
        if options is not None and not any(token["expect"].get(name) == 200 for token in document["tokens"]):
            yield f"setup {name} is open to no token"
    if all(token["kind"] == "access" for token in document["tokens"]):
        yield "there is no token of another kind"
    for issuer in document["issuers"]:
        introspection = issuer.get("introspection")
        if introspection and (introspection["wrong_credentials"] is None) != ("none" in introspection["auth_methods"]):
            yield f"introspection of {issuer['name']}: wrong_credentials is null if, and only if, none are asked for"


def _token_problems(document: Any, token: Any) -> Iterator[str]:
    name = token.get("name")
    if unknown := token.keys() - _TOKEN:
        yield f"{name}: unknown {sorted(unknown)}"
    if [each["name"] for each in document["tokens"]].count(name) != 1:
        yield f"{name} is there twice"
    if token["issuer"] not in [each["name"] for each in document["issuers"]]:
        yield f"{name}: unknown issuer"
    if token["format"] not in ("jwt", "opaque", "jwe"):
        yield f"{name}: unknown format"
    if token["format"] == "jwt" and not (token.get("header") and token.get("claims")):
        yield f"{name}: a JWT has a header and claims"
    if token.get("answer") and token["answer"].keys() - _ANSWER:
        yield f"{name}: unknown members of the answer"
    setups = {each for each, options in document["setups"].items() if options is not None}
    if token["expect"].keys() != setups:
        yield f"{name}: expect must name {sorted(setups)}"
    if token["kind"] != "access" and set(token["expect"].values()) - {401}:
        yield f"{name}: a token of another kind must be 401"
    if unknown := (token.get("reads") or {}).keys() - set(READS):
        yield f"{name}: reads has unknown {sorted(unknown)}"
