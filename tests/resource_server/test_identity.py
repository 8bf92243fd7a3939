"""An identity is what an issuer vouches for, and no other issuer, client or person has the same one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import pytest
from django.contrib.auth import get_user_model
from rest_framework.permissions import AllowAny

from django_introspection.protocol.principal import is_client
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.resource_server.identity_checks import check_users
from django_introspection.resource_server.users import TokenUser
from django_introspection.throttling import ClientRateThrottle
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.factories import UserFactory
from tests.misbehaving.server import MisbehavingServer, remote_settings

from .protected import ask, assert_refused, protect

pytestmark = pytest.mark.django_db
User = get_user_model()
ALPHA, BETA = "https://alpha.example", "https://beta.example"
LOCAL = "django_introspection.resource_server.local_users.LocalUser"
TOKENS = {"a": "a_token", "b": "b_token"}


class Two(NamedTuple):
    """Two authorization servers behind one router; `ask` returns the answer and the user of the view."""

    a: MisbehavingServer
    b: MisbehavingServer
    settings: Any

    def configure(self, *, a: Any = None, b: Any = None, router: Any = None, a_user: Any = None) -> None:
        """Set the options of each server, and the resolver of the router."""
        backends = {
            "a": remote_settings(self.a.url, **({"issuer": ALPHA} if a is None else a))["BACKENDS"]["default"],
            "b": remote_settings(self.b.url, **({"issuer": BETA} if b is None else b))["BACKENDS"]["default"],
        }
        backends["a"] |= {"USER": a_user} if a_user else {}
        route = {
            "BACKEND": "django_introspection.backends.RoutingBackend",
            "OPTIONS": {"prefixes": {"a_": "a", "b_": "b"}},
            **({"USER": router} if router else {}),
        }
        self.settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": route, **backends}}

    def ask(self, alias: str, *, token: str | None = None, throttle: Any = None, **members: Any) -> tuple[Any, Any]:
        server: MisbehavingServer = getattr(self, alias)
        server.behave("active", **{"sub": None, "client_id": None, **members})
        options = {"throttle_classes": [throttle], "permission_classes": [AllowAny]} if throttle else {}
        view = protect(**options)
        response = ask(view, token or TOKENS[alias])
        return response, view.ran[0].user if view.ran else None


@pytest.fixture
def two(settings: Any) -> Iterator[Two]:
    with MisbehavingServer() as a, MisbehavingServer() as b:
        servers = Two(a, b, settings)
        servers.configure()
        yield servers


ALICE = {"sub": "1", "client_id": "spa"}


def test_users_of_two_servers_differ_although_no_answer_has_iss(two: Two) -> None:
    assert two.ask("a", **ALICE)[1] != two.ask("b", **ALICE)[1]


def test_a_local_user_of_one_server_is_nobody_of_the_other(two: Two) -> None:
    two.configure(router={"RESOLVER": LOCAL, "OPTIONS": {"create": "always"}})

    assert two.ask("a", **ALICE)[1] != two.ask("b", **ALICE)[1]
    assert User.objects.count() == 2


def test_a_person_is_the_same_with_and_without_router_and_iss(two: Two) -> None:
    routed = two.ask("a", **ALICE)[1]

    assert two.ask("a", **ALICE, iss=ALPHA)[1] == routed
    two.settings.TOKEN_INTROSPECTION = remote_settings(two.a.url, issuer=ALPHA)
    assert two.ask("a", **ALICE)[1] == routed


def test_an_issuer_that_no_setting_vouches_for_is_no_part_of_an_identity(two: Two) -> None:
    two.configure(b={})
    alice = two.ask("a", **ALICE, iss=ALPHA)[1]

    impostor = two.ask("b", **ALICE, iss=ALPHA)[1]

    assert impostor != alice
    assert impostor == two.ask("b", **ALICE, iss=BETA)[1]


def test_an_alias_is_no_issuer_of_the_same_name(two: Two) -> None:
    two.configure(b={})

    assert two.ask("b", **ALICE)[1].issuer == "alias:b"


def test_the_resolver_of_the_backend_that_answered_goes_before_that_of_the_router(two: Two) -> None:
    never = {"RESOLVER": LOCAL, "OPTIONS": {"create": "never"}}
    two.configure(a_user=never, router={"RESOLVER": LOCAL, "OPTIONS": {"create": "always"}})

    assert_refused(two.ask("a", **ALICE)[0], 401, "invalid_token")
    assert two.ask("b", **ALICE)[1] == User.objects.get()


PRINCIPALS: dict[str, dict[str, Any]] = {
    "person by sub": {"sub": "x", "client_id": "spa"},
    "person by sub through another client": {"sub": "x2", "client_id": "x"},
    "person by user name": {"username": "x", "client_id": "spa"},
    "person by user name of the client": {"username": "spa", "client_id": "spa"},
    "another person by user name": {"username": "y", "client_id": "spa"},
    "client by sub": {"sub": "spa", "client_id": "spa"},
    "client named like the person": {"sub": "x", "client_id": "x"},
    "person whose sub is a client": {"sub": "spa", "client_id": "other"},
    "client named like the user name": {"client_id": "y"},
    "empty sub": {"sub": "", "client_id": "empty"},
    "client of the empty sub": {"client_id": "empty"},
    "nobody": {},
}


def test_no_two_people_or_clients_of_one_server_are_one(two: Two) -> None:
    users = {
        case: two.ask("a", token=f"a_{number}", **members)[1]
        for number, (case, members) in enumerate(PRINCIPALS.items())
    }

    same = [pair for pair in combinations(users, 2) if users[pair[0]] == users[pair[1]]]
    assert same == []
    assert len({user.pk for user in users.values()}) == len(users)


def test_a_client_is_the_same_whether_or_not_its_answer_has_a_subject(two: Two) -> None:
    by_evidence: list[dict[str, Any]] = [
        {"client_id": "spa"},
        {"client_id": "spa", "sub": "spa"},
        {"client_id": "spa", "sub": "client:spa"},
        {"client_id": "spa", "sub": "0b3c", "idtyp": "app"},
        {"client_id": "spa", "sub": "spa@clients", "gty": "client-credentials"},
        {"client_id": "spa", "username": "admin", "aut": "APPLICATION"},
        {"azp": "spa", "sub": "7f0e", "username": "x", "clientHost": "192.0.2.7", "clientAddress": "192.0.2.7"},
        {"client_id": "spa", "sub": "(usr!spa)", "grant_type": "client_credentials"},
    ]
    users = {two.ask("a", **members)[1] for members in by_evidence}

    assert len(users) == 1
    assert users.pop().is_client


@pytest.mark.parametrize(
    "members",
    [
        {"username": "alice", "client_id": "spa"},
        {"username": "spa", "client_id": "spa"},
        {"preferred_username": "alice", "client_id": "spa"},
        {"sub": "", "client_id": "spa"},
        {"sub": "alice", "client_id": "spa"},
        {"sub": "client:alice", "client_id": "spa"},
        {"sub": "1", "client_id": "spa", "idtyp": "user"},
        {"sub": "1", "client_id": "spa", "gty": "password"},
        {"sub": "1", "client_id": "spa", "aut": "APPLICATION_USER"},
        {"sub": "1", "client_id": "spa", "clientAddress": "192.0.2.7"},
        {"sub": "1", "client_id": "spa", "clientHost": True, "clientAddress": True},
        {"sub": "1", "client_id": "spa", "grant_type": "authorization_code"},
        {},
    ],
)
def test_a_client_takes_evidence(members: dict[str, Any]) -> None:
    if "preferred_username" in members and TokenInfo(members).username is None:
        pytest.skip("names of other servers are not read")
    assert not is_client(TokenInfo(members))


def test_a_token_that_names_nobody_is_an_identity_of_its_own(two: Two) -> None:
    one, again, other = (two.ask("a", token=f"a_{name}")[1] for name in ("one", "one", "other"))

    assert one == again != other
    assert one.is_authenticated
    assert not one.is_client


def test_a_token_that_names_nobody_makes_no_row(two: Two) -> None:
    two.configure(router={"RESOLVER": LOCAL, "OPTIONS": {"create": "always"}})

    assert_refused(two.ask("a", scope="orders:read")[0], 401, "invalid_token")
    assert not User.objects.exists()


@pytest.mark.parametrize("members", [{"username": "alice"}, {"username": "alice", "client_id": "alice"}])
def test_a_person_without_a_subject_is_looked_up_and_not_let_in_as_the_client(
    two: Two, members: dict[str, Any]
) -> None:
    two.configure(router={"RESOLVER": LOCAL, "OPTIONS": {"claim": "username"}})
    answer = {"client_id": "spa", **members}
    assert_refused(two.ask("a", **answer)[0], 401, "invalid_token")

    alice = UserFactory(username="alice")

    assert two.ask("a", **answer)[1] == alice


def test_the_claim_that_names_a_user_is_found_without_subject_and_user_name(two: Two) -> None:
    two.configure(router={"RESOLVER": LOCAL, "OPTIONS": {"claim": "login"}})
    alice = UserFactory(username="alice")

    assert two.ask("a", client_id="spa", login="alice")[1] == alice
    assert_refused(two.ask("a", client_id="spa", login="bob")[0], 401, "invalid_token")


@pytest.mark.parametrize(
    "members", [{"sub": "spa"}, {"sub": "1", "idtyp": "app"}, {"idtyp": "app"}, {"gty": "client-credentials"}]
)
def test_a_client_by_evidence_is_no_user_whatever_else_its_answer_claims(two: Two, members: dict[str, Any]) -> None:
    two.configure(router={"RESOLVER": LOCAL, "OPTIONS": {"claim": "login"}})
    UserFactory(username="alice")

    assert isinstance(two.ask("a", client_id="spa", login="alice", **members)[1], TokenUser)


@pytest.mark.parametrize("claim", ["client_id", "azp", "iss"])
def test_a_claim_that_names_no_user_is_an_error_of_the_settings(claim: str) -> None:
    from django_introspection.resource_server.local_users import LocalUser

    with pytest.raises(ValueError, match="must name a user"):
        LocalUser(claim=claim)


class Twice(ClientRateThrottle):
    rate = "2/min"


class TwiceForAll(Twice):
    user_tokens = True


def test_a_throttle_counts_the_clients_of_two_servers_apart(two: Two) -> None:
    two.configure(b={})
    cron = {"client_id": "cron", "sub": "cron", "throttle": Twice}

    assert [two.ask("a", **cron)[0].status_code for _ in range(3)] == [200, 200, 429]
    assert two.ask("b", **cron)[0].status_code == 200
    assert two.ask("b", **cron, iss=ALPHA)[0].status_code == 200
    assert two.ask("b", **cron, iss=BETA)[0].status_code == 429


def test_a_throttle_does_not_count_people_as_their_client(two: Two) -> None:
    alice = {"client_id": "spa", "username": "alice"}

    assert [two.ask("a", **alice, throttle=Twice)[0].status_code for _ in range(3)] == [200] * 3
    assert [two.ask("a", **alice, throttle=TwiceForAll)[0].status_code for _ in range(3)] == [200, 200, 429]


REMOTE = "django_introspection.backends.RemoteBackend"
ORDERS = "https://api.example.com/orders"
BY_CLAIM = {"RESOLVER": LOCAL, "OPTIONS": {"claim": "sub"}}
MAKES_USERS = {"RESOLVER": LOCAL, "OPTIONS": {"create": "always"}}


def server(issuer: str | None, user: Any = None, **options: Any) -> dict[str, Any]:
    """Return the entry of a server; without an issuer it has an address."""
    named = {"issuer": issuer} if issuer else {"introspection_url": "https://gamma.example/introspect"}
    secret = {"client_id": "orders", "client_secret": "secret of the orders API"}
    entry: dict[str, Any] = {"BACKEND": REMOTE, "OPTIONS": {**named, **secret, **options}}
    return entry | ({"USER": user} if user else {})


def signed(issuer: str, user: Any = None, **options: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "BACKEND": "django_introspection.backends.JWTBackend",
        "OPTIONS": {"issuer": issuer, "audience": ORDERS, **options},
    }
    return entry | ({"USER": user} if user else {})


def router(user: Any, **prefixes: str) -> dict[str, Any]:
    options = {"prefixes": prefixes}
    return {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options, "USER": user}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two servers of one issuer": (
        {"a": server(ALPHA), "b": server(ALPHA, introspection_url="https://evil.example/introspect")},
        "E032",
    ),
    "two sets of keys of one issuer": (
        {"a": signed(ALPHA), "b": signed(ALPHA, jwks_uri="https://evil.example/keys")},
        "E032",
    ),
    "confirmed by another issuer": ({"a": signed(ALPHA, then_ask="b"), "b": server(BETA)}, "E032"),
    "users of an alias": ({"a": server(None, MAKES_USERS)}, "E033"),
    "users of an alias behind a router": ({"r": router(MAKES_USERS, a_="a"), "a": server(None)}, "E033"),
    "claims of two issuers": ({"a": server(ALPHA, BY_CLAIM), "b": server(BETA, BY_CLAIM)}, "E034"),
    "claims of two issuers behind a router": (
        {"r": router(BY_CLAIM, a_="a", b_="b"), "a": server(ALPHA), "b": server(BETA)},
        "E034",
    ),
    "a claim that can be the identity of another": (
        {"a": server(ALPHA, {"RESOLVER": LOCAL}), "b": server(BETA, BY_CLAIM)},
        "E034",
    ),
}
RIGHT: dict[str, dict[str, Any]] = {
    "one server": {"a": server(None, BY_CLAIM)},
    "signed and asked, of one issuer": {
        "r": router(BY_CLAIM, a_="a", b_="b"),
        "a": signed(ALPHA, then_ask="b"),
        "b": server(ALPHA, BY_CLAIM),
    },
    "identities of two issuers": {
        "r": router(MAKES_USERS, a_="a", b_="b"),
        "a": server(ALPHA),
        "b": server(BETA),
    },
    "fields of their own": {
        "a": server(ALPHA, BY_CLAIM),
        "b": server(BETA, {"RESOLVER": LOCAL, "OPTIONS": {"claim": "sub", "field": "id"}}),
    },
}


def ids(backends: Any, settings: Any) -> list[str]:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": backends}
    return [str(message.id).removeprefix("introspection.") for message in check_users()]


@pytest.mark.parametrize(("backends", "number"), WRONG.values(), ids=WRONG)
def test_settings_by_which_users_of_two_servers_could_be_one_are_an_error(
    backends: Any, number: str, settings: Any
) -> None:
    assert ids(backends, settings) == [number]


@pytest.mark.parametrize("backends", RIGHT.values(), ids=RIGHT)
def test_settings_that_keep_the_users_of_servers_apart_are_no_error(backends: Any, settings: Any) -> None:
    assert ids(backends, settings) == []


def test_a_token_that_another_server_confirms_belongs_to_the_issuer_that_signed_it(two: Two) -> None:
    publish(two.a, public())
    token, issuer = access_token(two.a.origin), two.a.origin
    alone = {"BACKENDS": {"default": jwt_settings(issuer)}}
    confirmed = {"BACKENDS": {"default": jwt_settings(issuer, then_ask="b"), **remote_alias(two.b, "b")}}
    users = []
    for configuration in (alone, confirmed):
        two.settings.TOKEN_INTROSPECTION = configuration
        two.b.behave("active", sub="alice", client_id="spa", aud=ORDERS)
        view = protect()
        assert ask(view, token).status_code == 200
        users.append(view.ran[0].user)

    assert users[0] == users[1]
    assert users[0].issuer == issuer


def remote_alias(running: MisbehavingServer, alias: str) -> dict[str, Any]:
    return {alias: remote_settings(running.url)["BACKENDS"]["default"]}
