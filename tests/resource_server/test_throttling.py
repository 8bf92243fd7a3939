"""How often a client may ask."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from rest_framework.permissions import AllowAny

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.throttling import ClientRateThrottle
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, ask, protect


class Twice(ClientRateThrottle):
    rate = "2/min"


class TwiceForEverybody(Twice):
    user_tokens = True


@pytest.fixture
def remote(authorization_server: MisbehavingServer) -> Any:
    """Return a function that asks as a client and returns the status."""

    def asked(client: str | None, *, throttle: Any = Twice, address: str = "10.0.0.1", **members: Any) -> Any:
        authorization_server.behave(
            "active", client_id=client, **{"sub": client, "iss": "https://a.example", **members}
        )
        view = protect(throttle_classes=[throttle], permission_classes=[AllowAny])
        return ask(view, TOKEN, headers={"X-Forwarded-For": address})

    return asked


def test_a_client_is_limited_whatever_its_address_and_is_told_when_to_come_back(remote: Any) -> None:
    with time_machine.travel(0, tick=False):
        statuses = [remote("app", address=f"10.0.0.{number}").status_code for number in range(3)]
        response = remote("app")

    assert statuses == [200, 200, 429]
    assert 0 < int(response["Retry-After"]) <= 60


def test_the_limit_of_one_client_is_its_own_whatever_issuer_an_answer_claims(remote: Any) -> None:
    for _ in range(3):
        remote("app")

    assert remote("app").status_code == 429
    assert remote("other").status_code == 200
    assert remote("app", iss="https://b.example").status_code == 429


def test_the_tokens_of_users_count_by_choice_alone(remote: Any) -> None:
    statuses = {
        throttle: [remote("app", sub=f"user-{number}", throttle=throttle).status_code for number in range(3)]
        for throttle in (Twice, TwiceForEverybody)
    }

    assert statuses == {Twice: [200, 200, 200], TwiceForEverybody: [200, 200, 429]}


def test_a_token_that_names_no_client_is_limited_too(remote: Any) -> None:
    assert [remote(None, sub=None).status_code for _ in range(3)] == [200, 200, 429]
    assert [remote(None, sub="42", throttle=TwiceForEverybody).status_code for _ in range(3)] == [200, 200, 429]


def test_two_servers_that_name_no_issuer_are_two(authorization_server: MisbehavingServer, settings: Any) -> None:
    backend = authorization_server.settings()["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend, "partner": backend}}
    authorization_server.behave("active", client_id="app", sub="app")
    views = [
        protect(throttle_classes=[Twice], authentication_classes=[IntrospectionAuthentication.using(alias)])
        for alias in ("default", "partner")
    ]

    assert [[ask(view, TOKEN).status_code for _ in range(3)] for view in views] == [[200, 200, 429]] * 2


def test_without_a_token_other_throttles_decide(remote: Any) -> None:
    view = protect(throttle_classes=[Twice], permission_classes=[AllowAny])

    assert {ask(view).status_code for _ in range(4)} == {200}


def test_no_name_of_a_client_stands_in_a_key_of_the_cache(remote: Any) -> None:
    from types import SimpleNamespace

    from django_introspection import TokenInfo

    info = TokenInfo({"client_id": "app \n\u2603", "iss": "https://a.example"})
    request: Any = SimpleNamespace(auth=info, _request=SimpleNamespace())
    key = Twice().get_cache_key(request, None)  # type: ignore[arg-type]  # the view is not looked at

    assert key is not None
    assert key.startswith("throttle_client_")
    assert key.isascii()
    assert "app" not in key
