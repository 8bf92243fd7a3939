"""Servers that others wrote, with the options of their guides: what their tokens open, and whether our files hold.

The files in `tests/servers/data` describe these servers. What they say is compared here with what the servers do, so
that a new version of a server cannot make a file and its guide untrue.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import pytest

from django_introspection.permissions import requires_claim
from tests.peers.flows import CALLER, AuthorizationServer
from tests.peers.servers import PEERS, running
from tests.resource_server.protected import ask, protect
from tests.servers import playing, shapes

KINDS = {
    "access_token": ("access", "person"),
    "refresh_token": ("refresh", "person"),
    "id_token": ("id", "person"),
    "machine": ("access", "machine"),
}
EVIDENCE = ("typ", "token_use", "token_type", "active", "alg", "error", "aud")
"""Members whose values are the same for every token of a kind."""
TIMES = ("exp", "iat", "nbf", "auth_time")


class Issued(NamedTuple):
    """A token that a server issued, what it is, and what the server answers about it."""

    value: str
    kind: str
    holder: str
    answer: httpx2.Response

    @property
    def format(self) -> str:
        return "jwt" if self.value.count(".") == 2 else "opaque"

    @property
    def parts(self) -> tuple[Any, Any]:
        """The header and the claims of a JWT, nothing of another token."""
        if self.format != "jwt":
            return None, None
        header, claims, _ = (base64.urlsafe_b64decode(f"{part}===") for part in self.value.split("."))
        return json.loads(header), json.loads(claims)


class Running(NamedTuple):
    """A server, its file, and one token of every kind that it issues."""

    peer: AuthorizationServer
    file: shapes.Server
    issuer: Any
    tokens: list[Issued]

    def described(self, token: Issued) -> list[shapes.Token]:
        """Return the tokens of the file that are like this one: in what it is, what it holds and what is answered."""
        known = [each for each in self.file.tokens if (each.kind, each.format) == (token.kind, token.format)]
        written = {each.name: written_shape(each.header, each.claims) for each in known}
        answers = {each.name: (each.answer["status"], shape(each.answer["body"])) for each in known if each.answer}
        like = [
            each
            for each in known
            if each.holder in (None, token.holder)
            and written[each.name] == written_shape(*token.parts)
            and answers.get(each.name) == answered(token.answer)
        ]
        found = written_shape(*token.parts), answered(token.answer)
        assert like, f"no {token.kind} token of a {token.holder} is {found} in the file, which has {written}, {answers}"
        return like


@pytest.fixture(
    scope="module",
    params=[(name, each) for name, peer in PEERS.items() for each in peer.formats],
    ids="-".join,
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    name, token_format = request.param
    file = shapes.load(name)
    issuer, *_ = file.issuers
    audience = next(filter(None, (setup.options.get("audience") for setup in file.setups)))
    directory: Path = tmp_path_factory.mktemp(name)
    with running(PEERS[name], token_format, directory, RESOURCE=audience) as peer:
        tokens = [token for changes in PEERS[name].requests for token in issue(peer, {"resource": audience, **changes})]
        yield Running(peer, file, issuer, tokens)


def issue(peer: AuthorizationServer, asked: dict[str, Any]) -> Iterator[Issued]:
    """Let a server issue a token of every kind."""
    values = {**peer.person_tokens(**asked), "machine": peer.machine_token(**asked)}
    for name, (kind, holder) in KINDS.items():
        if name in values:
            yield Issued(values[name], kind, holder, peer.introspect(values[name]))


def trust(settings: Any, server: Running, setup: shapes.Setup) -> None:
    """Use the options of the guide, with the address and the credentials of the running server."""
    moved = {"client_id": CALLER[0], "client_secret": CALLER[1]}
    options = {name: at_peer(server, value) for name, value in setup.options.items()}
    options |= {name: value for name, value in moved.items() if name in options}
    backend = {"BACKEND": f"django_introspection.backends.{setup.backend}", "OPTIONS": {**options, "timeout": 30}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}


def at_peer(server: Running, value: Any) -> Any:
    """Return an option, or a part of one, with the address of the running server."""
    if isinstance(value, dict):
        return {name: at_peer(server, each) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    return value.replace(origin(server.issuer["issuer"]), origin(server.peer.metadata["issuer"]))


def origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def shape(value: Any, name: str = "") -> Any:
    """Return the names and types of a value, and of evidence the value itself; an empty string is a type of its own."""
    if name in EVIDENCE:
        return value
    if isinstance(value, dict):
        return {key: shape(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    if name in TIMES and isinstance(value, str) and value[:1] in "+-":
        return "int"
    return "" if value == "" else type(value).__name__


def written_shape(header: Any, claims: Any) -> Any:
    """Return the shape of a JWT. Its `nonce` is left out: the client sends it or does not."""
    return shape(header), shape({name: value for name, value in (claims or {}).items() if name != "nonce"})


def answered(response: httpx2.Response) -> tuple[int, Any]:
    """Return the status of a response and the shape of its body; one that is not JSON is a string."""
    try:
        return response.status_code, shape(response.json())
    except ValueError:
        return response.status_code, shape(response.text)


def present(read: dict[str, Any]) -> dict[str, bool]:
    """Return what a view finds in a token, and whether it is a machine's; the values are those of this run."""
    return {name: bool(value) for name, value in read.items() if name != "roles"}


def test_the_tokens_of_people_and_machines_open_a_view_and_no_other_token_does(server: Running, settings: Any) -> None:
    opened = set()
    for setup in server.file.setups:
        trust(settings, server, setup)
        for token in server.tokens:
            status, described = playing.status(token.value), server.described(token)
            assert {each.expect[setup.name] for each in described} == {status}, (setup.name, token.kind, token.holder)
            if status == 200:
                opened.add((token.kind, token.holder))
                read = present(playing.reads(token.value))
                assert read in [present(playing.must_read(each, setup)) for each in described], (setup.name, token.kind)

    assert opened == {("access", "person"), ("access", "machine")}


def test_a_role_of_the_server_opens_a_view_and_another_one_does_not(server: Running, settings: Any) -> None:
    seen = set()
    for setup in server.file.setups:
        trust(settings, server, setup)
        for token in server.tokens:
            for described in (each for each in server.described(token) if each.expect[setup.name] == 200):
                roles = {value for role in playing.must_read(described, setup)["roles"] for value in role["values"]}
                for name in ("seller", "another"):
                    view = protect(permission_classes=[requires_claim("roles", name)])
                    expected = 200 if name in roles else 403
                    assert ask(view, token.value).status_code == expected, (setup.name, described.name, name)
                seen.add("seller" in roles)

    alike = [each for each in server.file.tokens if (each.kind, each.format) == ("access", server.tokens[0].format)]
    assert (True in seen) is any(
        playing.must_read(each, setup)["roles"] for setup in server.file.setups for each in alike
    )
    assert False in seen


def test_the_answers_about_unknown_tokens_and_to_strangers_are_those_of_the_file(server: Running) -> None:
    introspection = server.issuer["introspection"]
    answers = {
        "unknown_token": server.peer.introspect("unknown-token-of-nobody"),
        "unknown_jwt": server.peer.introspect("eyJhbGciOiJSUzI1NiJ9.e30.AAAA"),
        "wrong_credentials": server.peer.introspect("unknown-token-of-nobody", auth=(CALLER[0], "wrong-secret")),
    }

    for name, answer in answers.items():
        said = introspection.get(name, introspection["unknown_token"])
        assert answered(answer) == (said["status"], shape(said["body"])), name
    assert answers["unknown_token"].headers["Content-Type"] == introspection["content_type"]


def test_the_metadata_is_where_and_what_the_file_says(server: Running) -> None:
    with httpx2.Client(timeout=30) as http:
        for url, said in server.issuer["metadata"].items():
            answer = http.get(at_peer(server, url))
            assert answer.status_code == said["status"], url
            if said["status"] == 200:
                document = at_peer(server, said["body"])
                found = {name: value for name, value in answer.json().items() if name in document}
                assert found.keys() == document.keys(), url
                assert _addresses(found) == _addresses(document)
    assert server.peer.metadata["introspection_endpoint"] == at_peer(server, server.issuer["introspection"]["endpoint"])


def _addresses(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name.endswith(("issuer", "_endpoint", "_uri"))}
