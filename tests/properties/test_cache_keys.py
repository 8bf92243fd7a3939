"""Keys in a shared cache: those of different backends, callers, issuers and deployments never meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from django_introspection import token_backends


class Deployment(NamedTuple):
    """What tells two deployments and their backends apart; all of them have the alias `default`."""

    secret_key: str
    key_prefix: str
    url: str
    client_id: str
    auth_method: str
    headers: Mapping[str, str]


# Parts that could run into each other if they were only put together.
NAMES = st.sampled_from(["a", "ab", "b", "a:b", 'a", "b', "[]", "client", "default"])
DEPLOYMENTS = st.builds(
    Deployment,
    secret_key=st.sampled_from(["one", "another"]),
    key_prefix=st.sampled_from(["", "prefix", "prefix:1"]),
    url=st.sampled_from(
        ["https://a.example/introspect", "https://a.example/introspect/", "https://b.example/introspect"]
    ),
    client_id=NAMES,
    auth_method=st.sampled_from(["client_secret_basic", "client_secret_post"]),
    headers=st.dictionaries(st.sampled_from(["X-Tenant", "X-Realm"]), st.sampled_from(["a", "b", "X-Realm"])),
)
PAIRS = st.builds(
    lambda one, other, fields: (one, one._replace(**{name: getattr(other, name) for name in fields})),
    DEPLOYMENTS,
    DEPLOYMENTS,
    st.sets(st.sampled_from(Deployment._fields), max_size=2),
)
TOKENS = st.sampled_from([b"\1" * 32, b"\2" * 32, b"\1\2" * 16])


def keys(deployment: Deployment, token_digest: bytes) -> tuple[set[str], set[str]]:
    """Return the keys of one token's answer as the server has them, and those that some other tokens share."""
    options = {
        "introspection_url": deployment.url,
        "client_id": deployment.client_id,
        "client_secret": "the secret of the client",
        "auth_method": deployment.auth_method,
        "headers": dict(deployment.headers),
        "audience": "https://api.example",
    }
    entry = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": options, "CACHE": {}}
    with override_settings(SECRET_KEY=deployment.secret_key, TOKEN_INTROSPECTION={"BACKENDS": {"default": entry}}):
        backend: Any = token_backends.create("default")
        made = backend._cache.keys(token_digest)
        backend.close()
    store = LocMemCache("", {"KEY_PREFIX": deployment.key_prefix})
    shared = (made.inactive, made.generation, made.generation_of_all)
    return {store.make_key(made.active)}, {store.make_key(name) for name in shared}


@given(PAIRS, TOKENS, TOKENS)
def test_keys_meet_only_if_the_deployment_the_server_the_caller_and_the_token_are_the_same(
    pair: tuple[Deployment, Deployment], token: bytes, another: bytes
) -> None:
    one, other = pair
    # How a client sends its secret is no part of who it is.
    is_same = one._replace(auth_method="") == other._replace(auth_method="")
    (own, shared), (other_own, other_shared) = keys(one, token), keys(other, another)

    assert (own == other_own) == (is_same and token == another)
    assert is_same or (own | shared).isdisjoint(other_own | other_shared)
    assert own.isdisjoint(other_shared)
    assert shared.isdisjoint(other_own)
