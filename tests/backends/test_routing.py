"""Tokens of several issuers, and what each server gets to see of them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import TokenBackend
from django_introspection.check_messages import TAG
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.models import Token
from django_introspection.protocol.answer import Answer, Inactive, Reason
from django_introspection.protocol.jwt import has_jose_header
from tests import jose
from tests.backends.issuers import access_token, claims, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.settings import AUDIENCE

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
ALPHA, BETA = "https://alpha.example", "https://beta.example"


class Servers:
    """Three authorization servers: of two issuers, and of what has no issuer."""

    def __init__(self, alpha: MisbehavingServer, beta: MisbehavingServer, other: MisbehavingServer) -> None:
        self.alpha, self.beta, self.other = alpha, beta, other

    @property
    def asked(self) -> list[int]:
        """How many requests each one has got."""
        return [len(server.requests) for server in (self.alpha, self.beta, self.other)]


@pytest.fixture
def servers(settings: Any) -> Iterator[Servers]:
    with (
        MisbehavingServer("active", aud=AUDIENCE) as alpha,
        MisbehavingServer("active", aud=AUDIENCE) as beta,
        MisbehavingServer("active", aud=AUDIENCE) as other,
    ):
        settings.TOKEN_INTROSPECTION = routing(
            {
                "issuers": {ALPHA: "alpha", BETA: "beta"},
                "prefixes": {"b_": "beta", "b_a_": "alpha"},
                "default": "other",
            },
            alpha=remote(alpha, issuer=ALPHA),
            beta=remote(beta, issuer=BETA),
            other=remote(other),
        )
        yield Servers(alpha, beta, other)


def remote(server: MisbehavingServer, **options: Any) -> Any:
    return remote_settings(server.url, audience=AUDIENCE, **options)["BACKENDS"]["default"]


def routing(options: Any, **others: Any) -> dict[str, Any]:
    entry = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
    return {"BACKENDS": {"default": entry, **others}}


ROUTES = {
    access_token(ALPHA): [1, 0, 0],
    access_token(BETA): [0, 1, 0],
    "b_token": [0, 1, 0],
    "b_a_token": [1, 0, 0],
    "b_a_token.with.dots": [1, 0, 0],
    "other": [0, 0, 1],
    "B_token": [0, 0, 1],
    "three.opaque.parts": [0, 0, 1],
    "v4.public.notajwt": [0, 0, 1],
}


@CALLS
@pytest.mark.parametrize(("token", "asked"), ROUTES.items(), ids=range(len(ROUTES)))
def test_a_token_is_shown_to_one_server(call: Any, token: str, asked: list[int], servers: Servers) -> None:
    assert call(token)

    assert servers.asked == asked


@CALLS
@pytest.mark.parametrize("behaviour", ["inactive", "closes before the answer"])
def test_no_second_server_sees_a_token(call: Any, behaviour: str, servers: Servers) -> None:
    servers.alpha.behave(behaviour)
    try:
        assert call(access_token(ALPHA)) is None
    except IntrospectionUnavailable:
        assert behaviour != "inactive"

    assert servers.asked[1:] == [0, 0]


NOBODYS: dict[str, Any] = {
    "unknown": "https://gamma.example",
    "none": None,
    "list": [ALPHA],
    "object": {"iss": ALPHA},
    "number": 7,
    "true": True,
    "empty": "",
    "trailing slash": f"{ALPHA}/",
    "upper case": ALPHA.upper(),
    "other host that begins alike": f"{ALPHA}.evil.example",
    "user info": f"{ALPHA}@evil.example",
    "space": f"{ALPHA} ",
    "line end": f"{ALPHA}\n",
    "NUL": f"{ALPHA}\0",
    "Cyrillic letter": "https://аlpha.example",  # noqa: RUF001 - the look-alike is the case
    "full-width letter": "https://ａlpha.example",  # noqa: RUF001 - as above
    "default port": f"{ALPHA}:443",
    "plain http": ALPHA.replace("https", "http"),
    "prefix": "b_token",
}


@CALLS
@pytest.mark.parametrize("issuer", NOBODYS.values(), ids=NOBODYS)
def test_a_jwt_of_an_issuer_that_is_not_listed_is_shown_to_nobody(call: Any, issuer: Any, servers: Servers) -> None:
    members = {name: value for name, value in {**claims(ALPHA), "iss": issuer}.items() if value is not None}

    assert call(jose.sign({"alg": "ES256"}, members)) is None
    assert servers.asked == [0, 0, 0]


BYTE_ORDER_MARK = "\ufeff".encode()


def broken_jwts() -> dict[str, str]:
    header, payload, signature = access_token("https://gamma.example").split(".")
    json_header = jose.decode(header)
    rest = f"{payload}.{signature}"
    twice = jose.part(b'{"iss": "https://gamma.example", "iss": "%s"}' % ALPHA.encode())
    return {
        "issuer twice": f"{header}.{twice}.{signature}",
        "crit": access_token("https://gamma.example", header={"crit": ["b64"]}),
        "without alg": f"{jose.part({'typ': 'JWT'})}.{rest}",
        "space before the header": f"{jose.part(b'  ' + json_header)}.{rest}",
        "much space before the header": f"{jose.part(b' ' * 200 + json_header)}.{rest}",
        "byte order mark": f"{jose.part(BYTE_ORDER_MARK + json_header)}.{rest}",
        "padding": f"{jose.part({'alg': 'ES256'})}==.{rest}",
        "encrypted": f"{jose.part({'alg': 'dir', 'enc': 'A256GCM'})}..iv.text.tag",
        "JSON that is none": f"{jose.part(b'{')}.{rest}",
        "two parts": f"{header}.{payload}",
        "six parts": f"{header}.{payload}.{signature}.a.b.c",
        "large": access_token("https://gamma.example", padding="x" * 20_000),
        "signature that is none": f"{header}.{payload}.====",
    }


BROKEN_JWTS = broken_jwts()


@CALLS
@pytest.mark.parametrize("token", BROKEN_JWTS.values(), ids=BROKEN_JWTS)
def test_a_jwt_that_cannot_be_read_is_no_opaque_token(call: Any, token: str, servers: Servers) -> None:
    assert call(token) is None
    assert servers.asked == [0, 0, 0]


@pytest.mark.parametrize(
    "value", ["", "a", "a.b", ".", "..", "a.b.c", "ey", "ory_at_abc.def", "é.b.c", "....", "v2.local.x"]
)
def test_an_opaque_token_has_no_header(value: str) -> None:
    assert not has_jose_header(value)


def test_an_opaque_token_that_begins_with_a_brace_by_chance_has_no_header() -> None:
    """Two random parts with a dot between them, as Ory Hydra and other servers with fosite make them."""
    values = [base64.urlsafe_b64encode(b"{" + bytes([second]) * 31).decode().rstrip("=") for second in range(256)]

    assert {chr(number) for number, value in enumerate(values) if has_jose_header(f"{value}.x")} == set('"} \t\r\n')


@pytest.mark.parametrize(
    "header", ['{"alg":"RS256"}', "{}", ' { "alg": 1}', "\ufeff{\n\t}", "{" + " " * 500 + '"a":1}']
)
def test_every_json_object_is_a_header(header: str) -> None:
    assert has_jose_header(f"{base64.urlsafe_b64encode(header.encode()).decode().rstrip('=')}.e30.x")


@CALLS
def test_the_rules_of_the_chosen_backend_count(call: Any, servers: Servers) -> None:
    servers.beta.behave("active", aud="https://api.example.com/other")
    assert call("b_token") is None
    servers.beta.behave("active", aud=AUDIENCE, iss=ALPHA)
    assert call("b_token") is None
    servers.beta.behave("active", aud=AUDIENCE, iss=BETA)
    assert call("b_token")


@pytest.mark.requirement("8725-3.8-a")
def test_a_jwt_is_verified_with_the_keys_of_the_issuer_that_it_names(settings: Any) -> None:
    with MisbehavingServer() as alpha, MisbehavingServer() as beta:
        publish(alpha, public("a", kid="one"))
        publish(beta, public("b", kid="one"))
        settings.TOKEN_INTROSPECTION = routing(
            {"issuers": {alpha.origin: "alpha", beta.origin: "beta"}},
            alpha=jwt_settings(alpha.origin),
            beta=jwt_settings(beta.origin),
        )
        header = {"kid": "one"}

        assert introspect(access_token(alpha.origin, name="a", header=header))
        assert introspect(access_token(beta.origin, name="b", header=header))
        assert introspect(access_token(alpha.origin, name="b", header=header)) is None
        assert introspect(access_token(beta.origin, name="a", header=header)) is None


@pytest.fixture
def mixed(settings: Any, servers: Servers) -> Servers:
    """Our own tokens, else those of two issuers whose keys we have, else another server's."""
    publish(servers.alpha, public())
    publish(servers.beta, public("two"))
    own = {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": AUDIENCE}}
    settings.TOKEN_INTROSPECTION = routing(
        {"default": ["own", "alpha", "beta", "other"]},
        own=own,
        alpha=jwt_settings(servers.alpha.origin),
        beta=jwt_settings(servers.beta.origin),
        other=remote(servers.other),
    )
    return servers


@pytest.mark.django_db(transaction=True)
@CALLS
def test_local_backends_are_tried_in_order_and_the_one_that_knows_the_token_counts(
    call: Any, mixed: Servers, machine: Any
) -> None:
    ours = Token.objects.issue(client=machine.client, audience=[AUDIENCE]).access_token
    assert call(ours)["client_id"] == machine.client.client_id
    assert call(access_token(mixed.beta.origin, name="two"))["iss"] == mixed.beta.origin
    assert call(access_token(mixed.beta.origin, name="one", header={"kid": "two"})) is None
    assert len(mixed.other.requests) == 0

    assert call("nobody's")
    assert len(mixed.other.requests) == 1


@pytest.mark.django_db(transaction=True)
@CALLS
def test_a_token_of_ours_that_is_not_good_is_shown_to_nobody(call: Any, mixed: Servers, machine: Any) -> None:
    for_another = Token.objects.issue(client=machine.client, audience=["https://api.example.com/other"])
    revoked = Token.objects.issue(client=machine.client, audience=[AUDIENCE])
    revoked.token.revoked_at = revoked.token.issued_at
    revoked.token.save()

    assert call(for_another.access_token) is None
    assert call(revoked.access_token) is None
    assert mixed.asked == [0, 0, 0]


@pytest.mark.django_db(transaction=True)
@CALLS
def test_a_jwt_of_an_unknown_issuer_is_tried_by_local_backends_alone(call: Any, mixed: Servers) -> None:
    assert call(access_token("https://gamma.example")) is None
    assert mixed.asked == [0, 0, 0]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_token_is_forgotten_where_it_is_known(is_async: bool, servers: Servers, settings: Any) -> None:
    for alias in ("alpha", "beta", "other"):
        settings.TOKEN_INTROSPECTION["BACKENDS"][alias]["CACHE"] = {}

    def forget(token: str | None) -> None:
        backend = token_backends["default"]
        async_to_sync(backend.apurge)(token) if is_async else backend.purge(token)

    def ask() -> list[int]:
        for token in ("b_token", "other"):
            assert introspect(token)
        return servers.asked

    assert ask() == [0, 1, 1]
    assert ask() == [0, 1, 1]
    forget("b_token")
    assert ask() == [0, 2, 1]
    forget(None)
    assert ask() == [0, 3, 2]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_cache_that_is_down_does_not_keep_other_backends_from_forgetting(
    is_async: bool, servers: Servers, settings: Any
) -> None:
    settings.CACHES = {**settings.CACHES, "down": {"BACKEND": "tests.caches.BrokenCache"}}
    for alias, options in (("alpha", {"ALIAS": "down"}), ("beta", {}), ("other", {})):
        settings.TOKEN_INTROSPECTION["BACKENDS"][alias]["CACHE"] = options
    for token in ("b_token", "other"):
        introspect(token)

    backend = token_backends["default"]
    with pytest.raises(IntrospectionUnavailable, match="the cache of answers"):
        async_to_sync(backend.apurge)() if is_async else backend.purge()

    for token in ("b_token", "other"):
        introspect(token)
    assert servers.asked == [0, 2, 2]


def test_what_the_backend_itself_says_follows_the_same_route(servers: Servers) -> None:
    backend = token_backends["default"]

    assert backend.introspect("b_token")
    assert async_to_sync(backend.aintrospect)("b_token")
    assert backend.introspect(access_token("https://gamma.example")) == Inactive(Reason.UNKNOWN)
    assert servers.asked == [0, 2, 0]


class Theirs(TokenBackend):
    """A backend of a project, which says nothing of where it asks."""

    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class Local(Theirs):
    is_remote = False


OTHERS: dict[str, Any] = {
    "theirs": {"BACKEND": f"{__name__}.Theirs"},
    "theirs_too": {"BACKEND": f"{__name__}.Theirs"},
    "local": {"BACKEND": f"{__name__}.Local"},
    "router": {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": {"default": "default"}},
}
WRONG: dict[str, tuple[str, Any]] = {
    "unknown issuer alias": ("issuers", {ALPHA: "nowhere"}),
    "unknown prefix alias": ("prefixes", {"a_": "nowhere"}),
    "unknown default": ("default", "nowhere"),
    "itself": ("default", "default"),
    "itself by issuer": ("issuers", {ALPHA: "default"}),
    "a circle": ("prefixes", {"a_": "router"}),
    "two remote backends": ("default", ["theirs", "theirs_too"]),
    "a remote one before a local one": ("default", ["theirs", "local"]),
    "one twice": ("default", ["local", "local"]),
    "nothing at all": ("default", []),
    "issuers in a list": ("issuers", [ALPHA]),
    "an empty prefix": ("prefixes", {"": "local"}),
    "an alias that is no string": ("prefixes", {"a_": ["local"]}),
    "an audience": ("audience", AUDIENCE),
}


@pytest.mark.parametrize(("name", "value"), WRONG.values(), ids=WRONG)
def test_an_option_that_is_wrong_is_refused_by_its_place(name: str, value: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = routing({name: value}, **OTHERS)

    with pytest.raises(InvalidBackend, match=rf"\['default'\]\['OPTIONS'\]\['{name}'\]"):
        token_backends["default"]


def test_one_remote_backend_may_be_the_last(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = routing({"default": ["local", "theirs"]}, **OTHERS)

    assert [backend.alias for backend in token_backends["default"].route("opaque")] == ["local", "theirs"]
    assert [backend.alias for backend in token_backends["default"].route(access_token(ALPHA))] == ["local"]


def test_a_circle_and_an_unknown_alias_are_found_by_the_checks(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = routing({"default": "router", "issuers": {ALPHA: "nowhere"}}, **OTHERS)

    errors = [message.id for message in checks.run_checks(tags=[TAG]) if message.level >= checks.ERROR]
    assert errors == ["introspection.E003"] * 2
