from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from django_introspection.authorization_server.provisioning import provision
from django_introspection.models import Client, ClientSecret
from django_introspection.models.fields import now
from tests import certificates, endpoints, factories, jose
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

SECRET = "a-secret-that-was-made-by-the-deployment"
OTHER = "the-next-secret-that-the-deployment-made"

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("introspection_client", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def text_of(*arguments: str) -> str:
    out = io.StringIO()
    call_command("introspection_client", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def provisioned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Provision the client `api` with a secret of the environment."""

    def one(secret: str, *arguments: str) -> Any:
        monkeypatch.setenv("API_SECRET", secret)
        return run("create", "--client-id", "api", "--secret-env", "API_SECRET", *arguments)

    return one


@pytest.mark.parametrize(
    ("secret", "named"),
    [(f"{SECRET}+/=", "+"), (f"{SECRET}%", "%"), (f"%2B+{SECRET}", "% and +"), (f"{SECRET}/=", None)],
)
def test_a_secret_that_other_servers_take_only_encoded_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str, named: str | None
) -> None:
    monkeypatch.setenv("API_SECRET", secret)
    for arguments in (["create", "--client-id", "api"], ["rotate", "api"]):
        call_command("introspection_client", *arguments, "--secret-env", "API_SECRET")
        said = capsys.readouterr().err
        assert (f"The secret contains {named}, which clients must form-encode" in said) is (named is not None)
        assert SECRET not in said
        monkeypatch.setenv("API_SECRET", f"{secret}-2")


def introspects(client_id: str, secret: str) -> bool:
    return endpoints.introspect("x", auth=endpoints.basic(client_id, secret)).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "grant_types", "policy"),
    [
        (["--resource", AUDIENCE], [], "audience"),
        (["--purpose", "resource-server", "--introspection-policy", "any"], [], "any"),
        ([], ["client_credentials"], "own"),
        (["--purpose", "machine", "--scope", "orders:read"], ["client_credentials"], "own"),
        (["--purpose", "both", "--resource", AUDIENCE], ["client_credentials"], "audience"),
    ],
    ids=["serves", "gateway", "nothing said", "machine", "both"],
)
def test_a_purpose_sets_what_a_client_may_do(arguments: list[str], grant_types: list[str], policy: str) -> None:
    created = run("create", "--client-id", "api", *arguments)

    client = Client.objects.get(client_id="api")
    assert (created["result"], created["client_id_issued_at"]) == ("created", int(client.created_at.timestamp()))
    assert (created["grant_types"], created["introspection_policy"]) == (grant_types, policy)
    assert (client.grant_types, client.introspection_policy) == (grant_types, policy)
    assert created["client_secret_expires_at"] == 0
    assert introspects("api", created["client_secret"])


def test_every_field_that_can_be_given_is_kept() -> None:
    created = run(
        *("create", "--client-name", "Orders API", "--purpose", "both", "--scope", "a b"),
        *(
            "--allowed-resource",
            "urn:a",
            "--allowed-resource",
            "urn:b",
            "--resource",
            "urn:c",
            "--resource-scope",
            "c d",
        ),
        *("--token-endpoint-auth-method", "client_secret_post", "--access-token-format", "jwt"),
        *("--introspection-signed-response-alg", "ES256"),
    )

    client = Client.objects.get(client_id=created["client_id"])
    assert (client.client_name, client.scope, client.resource_scopes) == ("Orders API", "a b", "c d")
    assert (client.allowed_resources, client.resources) == (["urn:a", "urn:b"], ["urn:c"])
    assert (client.token_endpoint_auth_method, client.access_token_format) == ("client_secret_post", "jwt")
    assert client.introspection_signed_response_alg == "ES256"


def test_a_client_may_exchange_tokens_if_it_is_given_the_grant(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "AUTHORIZATION_DETAILS_TYPES": {"payment": None}}
    grant = "urn:ietf:params:oauth:grant-type:token-exchange"
    further = ("--may-impersonate", "--authorization-details-type", "payment")
    created = run("create", "--client-id", "orders-api", "--resource", "urn:a", "--grant-type", grant, *further)
    plain = run("create", "--client-id", "plain", "--resource", "urn:a")

    client = Client.objects.get(client_id=created["client_id"])
    assert (client.grant_types, client.resources) == ([grant], ["urn:a"])
    assert (client.may_impersonate, client.authorization_details_types) == (True, ["payment"])
    assert (plain["grant_types"], plain["may_impersonate"], plain["authorization_details_types"]) == ([], False, [])


def test_a_resource_server_that_serves_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="needs --resource"):
        run("create", "--client-id", "api", "--purpose", "resource-server")

    assert not Client.objects.exists()


def test_wrong_metadata_is_said_with_its_name_in_one_line() -> None:
    with pytest.raises(CommandError, match=r"^client_id: .*resources: no-uri must be an absolute URI\.$"):
        run("create", "--client-id", "a b", "--resource", "no-uri")


def test_provisioning_a_secret_twice_changes_nothing(provisioned: Any) -> None:
    arguments = ["--resource", AUDIENCE, "--scope", "orders:read"]
    first = provisioned(SECRET, *arguments)
    rows = list(Client.objects.values()), list(ClientSecret.objects.values())

    second = provisioned(SECRET, *arguments)

    assert (first.pop("result"), second.pop("result")) == ("created", "unchanged")
    assert first == second
    assert "client_secret" not in first
    assert (list(Client.objects.values()), list(ClientSecret.objects.values())) == rows
    assert introspects("api", SECRET)


def test_a_different_secret_becomes_a_further_live_one(provisioned: Any) -> None:
    provisioned(SECRET)

    assert provisioned(OTHER)["result"] == "secret added"
    assert provisioned(SECRET)["result"] == provisioned(OTHER)["result"] == "unchanged"
    assert introspects("api", SECRET)
    assert introspects("api", OTHER)


@pytest.mark.parametrize("exists", [False, True])
def test_a_secret_that_is_too_short_is_refused_and_not_repeated(provisioned: Any, exists: bool) -> None:
    if exists:
        provisioned(SECRET)

    with pytest.raises(CommandError, match="at least 32 characters") as raised:
        provisioned("short-and-guessable")

    assert "short-and-guessable" not in str(raised.value)
    assert Client.objects.count() == exists


def test_a_client_that_exists_otherwise_is_refused_and_left_as_it_is(provisioned: Any) -> None:
    provisioned(SECRET, "--scope", "orders:read")

    with pytest.raises(
        CommandError, match=r"^The client exists with another grant_types, resources, scope; nothing was changed\.$"
    ):
        provisioned(OTHER, "--scope", "orders:write", "--resource", AUDIENCE, "--purpose", "resource-server")

    assert Client.objects.get().scope == "orders:read"
    assert not introspects("api", OTHER)


def test_what_is_not_given_is_not_compared(provisioned: Any) -> None:
    provisioned(SECRET)
    Client.objects.update(client_name="Renamed", grant_types=[], is_active=False)

    again = provisioned(SECRET)

    assert (again["result"], again["client_name"], again["is_active"]) == ("unchanged", "Renamed", False)


def test_an_expired_secret_does_not_come_back(provisioned: Any) -> None:
    provisioned(SECRET)
    ClientSecret.objects.update(expires_at=now())

    with pytest.raises(CommandError, match="has expired"):
        provisioned(SECRET)

    assert not introspects("api", SECRET)


def test_a_client_that_exists_gets_no_secret_that_nobody_asked_for(machine: Any) -> None:
    with pytest.raises(CommandError, match="rotating makes a further secret"):
        run("create", "--client-id", machine.client.client_id)

    assert ClientSecret.objects.count() == 1


def test_a_client_with_keys_is_provisioned_without_a_secret(provisioned: Any) -> None:
    keys = ["--token-endpoint-auth-method", "private_key_jwt", "--jwks-uri", "https://shop.example.com/jwks"]
    created = run("create", "--client-id", "api", *keys)

    assert "client_secret" not in created
    assert run("create", "--client-id", "api", *keys)["result"] == "unchanged"
    with pytest.raises(CommandError, match="does not authenticate by a secret"):
        provisioned(SECRET)
    with pytest.raises(CommandError, match="does not authenticate by a secret"):
        run("rotate", "api")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_line_end_of_a_file_is_no_part_of_the_secret(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"{SECRET}{ending}".encode())

    run("create", "--client-id", "api", "--secret-file", str(file))

    assert introspects("api", SECRET)


@pytest.mark.parametrize(
    ("content", "problem"), [(b"\n", "empty"), (b"\xff" * 40, "not UTF-8"), (b"a" * 70_000, "too long")], ids=str
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    with pytest.raises(CommandError, match=f"^--secret-file: it is {problem}"):
        run("create", "--client-id", "api", "--secret-file", str(file))


def test_provisioning_by_another_process_at_the_same_moment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the other one be faster between the look and the INSERT."""
    faster = ClientSecret.validate_constraints

    def validate_constraints(secret: ClientSecret, *arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(ClientSecret, "validate_constraints", faster)
        provision("api", OTHER, {})
        faster(secret, *arguments, **options)

    provision("api", SECRET, {}, client_name="api")
    monkeypatch.setattr(ClientSecret, "validate_constraints", validate_constraints)

    assert provision("api", OTHER, {}).change == "unchanged"
    assert ClientSecret.objects.count() == 2


def test_rotating_adds_a_secret_beside_the_live_one(machine: Any) -> None:
    client_id = machine.client.client_id

    rotated = run("rotate", client_id)

    assert (rotated["client_id"], rotated["others_expire_at"]) == (client_id, None)
    assert introspects(client_id, machine.secret)
    assert introspects(client_id, rotated["client_secret"])


def test_rotating_ends_the_others_at_the_time_given_or_earlier(machine: Any) -> None:
    earlier = now() + timedelta(hours=1)
    machine.client.secrets.create(digest=b"e" * 32, hint="soon", expires_at=earlier)

    rotated = run("rotate", machine.client.client_id, "--expire-others-in", "7d")

    at = int((now() + timedelta(days=7)).timestamp())
    assert at - 60 < rotated["others_expire_at"] <= at
    secrets = run("show", machine.client.client_id)["secrets"]
    assert [secret["expires_at"] for secret in secrets] == [
        rotated["others_expire_at"],
        int(earlier.timestamp()),
        None,
    ]


def test_a_secret_of_the_client_is_not_rotated_in_and_nothing_expires(machine: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(machine.secret)

    with pytest.raises(CommandError, match="has this secret already"):
        run("rotate", machine.client.client_id, "--secret-file", str(tmp_path / "secret"), "--expire-others-in", "0")

    assert introspects(machine.client.client_id, machine.secret)


def test_rotating_in_a_secret_made_elsewhere_prints_none(machine: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(OTHER)

    rotated = run("rotate", machine.client.client_id, "--secret-file", str(tmp_path / "secret"))

    assert "client_secret" not in rotated
    assert introspects(machine.client.client_id, OTHER)


def test_show_tells_hints_expiry_and_last_use_and_never_a_value(machine: Any) -> None:
    assert introspects(machine.client.client_id, machine.secret)

    shown = run("show", machine.client.client_id)
    text = text_of("show", machine.client.client_id)

    (secret,) = shown["secrets"]
    stored = machine.client.secrets.get()
    assert secret == {
        "hint": machine.secret[-4:],
        "created_at": int(stored.created_at.timestamp()),
        "expires_at": None,
        "last_used_at": int(stored.last_used_at.timestamp()),
        "is_live": True,
    }
    assert shown["scope"] == machine.client.scope
    assert f"hint {secret['hint']}" in text
    assert f"last_used_at {stored.last_used_at.isoformat()}" in text
    assert machine.secret not in json.dumps(shown) + text


def test_the_list_has_every_client_by_its_id() -> None:
    for client_id in ("b", "a"):
        factories.RegistrationFactory(client_id=client_id, client_name=f"Client\x1b[2J {client_id}")

    assert [client["client_id"] for client in run("list")["clients"]] == ["a", "b"]
    assert text_of("list") == 'a\tactive\t"Client\\u001b[2J a"\nb\tactive\t"Client\\u001b[2J b"\n'


def test_a_disabled_client_is_refused_until_it_is_enabled(machine: Any) -> None:
    client_id = machine.client.client_id

    assert run("disable", client_id) == {"client_id": client_id, "is_active": False, "result": "changed"}
    assert run("disable", client_id)["result"] == "unchanged"
    assert not introspects(client_id, machine.secret)
    assert run("enable", client_id) == {"client_id": client_id, "is_active": True, "result": "changed"}
    assert introspects(client_id, machine.secret)


@pytest.mark.parametrize("command", ["show", "rotate", "disable", "enable"])
def test_a_client_that_is_not_there_is_said(command: str) -> None:
    factories.RegistrationFactory(client_id="api")
    other = "API" if connection.vendor == "mysql" else "nobody"

    with pytest.raises(CommandError, match=r"^The client does not exist\.$") as raised:
        run(command, other)

    assert raised.value.returncode == 1


def test_public_keys_are_not_mixed_into_what_is_printed(machine: Any) -> None:
    client = factories.RegistrationFactory(
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jose.public("ES256")]}
    ).client

    shown = run("show", client.client_id)

    assert (shown["token_endpoint_auth_method"], shown["secrets"]) == ("private_key_jwt", [])


def test_a_client_for_bound_tokens_alone_is_registered_and_shown() -> None:
    made = run("create", "--client-id", "shop", "--purpose", "machine", "--dpop-bound-access-tokens")

    assert (made["dpop_bound_access_tokens"], run("show", "shop")["dpop_bound_access_tokens"]) == (True, True)
    assert Client.objects.get().dpop_bound_access_tokens is True


TLS = ("create", "--client-id", "shop", "--purpose", "machine", "--token-endpoint-auth-method")


def test_a_client_is_registered_by_the_one_name_of_its_certificate() -> None:
    arguments = (*TLS, "tls_client_auth", "--tls-client-auth-san-ip", "2001:db8::1")

    made = run(*arguments)

    assert (made["certificate_name_kind"], made["certificate_name"]) == ("tls_client_auth_san_ip", "2001:db8::1")
    assert run(*arguments)["result"] == "unchanged"
    assert "client_secret" not in made
    with pytest.raises(CommandError, match="not allowed with"):
        run(*arguments, "--tls-client-auth-san-dns", "shop.example.com")
    with pytest.raises(CommandError, match="certificate_name"):
        run("create", "--client-id", "other", "--token-endpoint-auth-method", "tls_client_auth")


def test_a_client_is_registered_by_its_certificates(tmp_path: Path) -> None:
    own, second = (certificates.make(self_signed=True, number=number) for number in (1, 2))
    files = [each.write(tmp_path, each.thumbprint)[0] for each in (own, second)]

    made = run(*TLS, "self_signed_tls_client_auth", "--certificate", files[0], "--certificate", files[1])

    assert made["certificate_thumbprints"] == [own.thumbprint, second.thumbprint]
    for wrong in (tmp_path / "missing.pem", own.write(tmp_path, own.thumbprint)[1]):
        with pytest.raises(CommandError, match="--certificate"):
            run(*TLS, "self_signed_tls_client_auth", "--certificate", str(wrong))
