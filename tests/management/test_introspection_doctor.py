from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.cache.backends.filebased import FileBasedCache
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.migrations.recorder import MigrationRecorder

from django_introspection import token_backends
from django_introspection.backends.base import TokenBackend
from django_introspection.backends.remote_diagnosis import clock, latency
from django_introspection.conf import introspection_settings
from django_introspection.management.memory import diagnose_memory
from django_introspection.models import Token
from django_introspection.protocol.answer import Active, Answer
from django_introspection.protocol.opaque import TokenPrefix
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.security_events.restoring import restore_cut_offs
from tests import factories
from tests.authorization_server.helpers import without_table
from tests.backends.issuers import JWKS, OAUTH, jwt_settings, public, publish
from tests.misbehaving.server import (
    CERTIFICATE,
    CLIENT_SECRET,
    MisbehavingServer,
    refusing_url,
    remote_settings,
    silent_url,
)

from .scripts import Project

RESOURCE_ONLY = "tests.projects.resource_only.settings"
CACHING = "tests.projects.resource_only.caching"
NOON = 1_800_014_400
INACTIVE = b'{"active": false}'

Found = list[tuple[str, str]]


class Gullible(TokenBackend):
    """Take every token."""

    def introspect(self, token: str) -> Answer:
        return Active(TokenInfo({}))


def diagnose(settings: Any, value: dict[str, Any]) -> Found:
    """Return severity and text of what a backend finds."""
    settings.TOKEN_INTROSPECTION = value
    findings = list(token_backends["default"].diagnose())
    assert CLIENT_SECRET not in repr(findings)
    assert all(finding.mend for finding in findings if finding.severity != "ok")
    return [(str(finding.severity), finding.what) for finding in findings]


def doctor() -> tuple[Any, int]:
    """Return the JSON of the command and its exit code."""
    out, raised = io.StringIO(), []
    try:
        call_command("introspection_doctor", "--json", stdout=out)
    except CommandError as error:
        raised.append(error)
    return json.loads(out.getvalue()), sum(error.returncode for error in raised)


def of(place: str, members: Any) -> Found:
    return [(each["severity"], each["what"]) for each in members["findings"] if each["about"] == place]


def answering(*headers: str) -> MisbehavingServer:
    return MisbehavingServer("status", code=200, headers=headers, content=INACTIVE)


def test_a_server_that_works_is_asked_about_tokens_of_the_right_shape(settings: Any) -> None:
    with time_machine.travel(NOON, tick=False), answering(f"Date: {formatdate(NOON, usegmt=True)}") as server:
        found = diagnose(settings, server.settings())
        tokens = {request.form["token"][0] for request in server.requests}

    assert [severity for severity, _ in found] == ["ok"] * 4
    assert found[0][1].endswith("takes connections (plain http)")
    assert found[1][1] == "the question is not refused, and a random token is inactive"
    assert found[2][1].startswith("an answer takes ")
    assert found[3][1] == "the clocks agree"
    assert len(tokens) == 2
    assert all(token.startswith("dit_at_") and TokenPrefix().may_be_token(token) for token in tokens)


@pytest.mark.parametrize(
    ("behaviour", "arguments", "problem"),
    [
        ("active", {}, "a random token is active"),
        ("status", {"code": 401}, "refuses this resource server: 401"),
        ("status", {"code": 404}, "answers 404"),
        ("status", {"code": 429}, "is busy: 429"),
        ("body", {"content": b"<!doctype html>", "content_type": "text/html"}, "is not application/json"),
        ("hangs before the answer", {}, "cannot be reached: ReadTimeout"),
    ],
    ids=["takes everything", "credentials", "address", "busy", "another page", "hangs"],
)
def test_what_is_wrong_with_an_answer_is_said(
    settings: Any, behaviour: str, arguments: dict[str, Any], problem: str
) -> None:
    with MisbehavingServer(behaviour, **arguments) as server:
        found = diagnose(settings, server.settings(timeout=1))

    assert problem in found[1][1]
    assert found[1][0] == "error"


def test_a_server_that_refuses_us_is_asked_once(settings: Any) -> None:
    with MisbehavingServer("status", code=401) as server:
        diagnose(settings, server.settings())

    assert len(server.requests) == 1


def test_a_port_that_nobody_listens_on_is_said(settings: Any) -> None:
    with refusing_url() as url:
        assert [severity for severity, _ in diagnose(settings, remote_settings(url))] == ["error"]
        assert "takes no connection: ConnectionRefusedError" in diagnose(settings, remote_settings(url))[0][1]


def test_a_proxy_that_nobody_listens_on_is_said_without_its_credentials(settings: Any) -> None:
    with refusing_url() as url:
        place = urlsplit(url).netloc
        proxy = f"http://us:secret-of-the-proxy@{place}"
        found = diagnose(settings, remote_settings("https://no-such-host.invalid/introspect", proxy=proxy))

    assert found == [("error", f"the proxy {place} takes no connection: ConnectionRefusedError")]


def test_a_name_that_is_not_known_is_said(settings: Any) -> None:
    found = diagnose(settings, remote_settings("https://no-such-host.invalid/introspect"))

    assert found == [("error", "the name no-such-host.invalid cannot be resolved")]


def test_a_server_that_never_shakes_hands_is_given_up(settings: Any) -> None:
    with silent_url("https") as url:
        found = diagnose(settings, remote_settings(url, timeout=0.5))

    assert [severity for severity, _ in found] == ["error"]
    assert found[0][1].endswith("takes no connection: TimeoutError")


def test_a_server_that_does_not_speak_tls_is_said(settings: Any) -> None:
    with MisbehavingServer("inactive") as server:
        found = diagnose(settings, remote_settings(server.url.replace("http:", "https:"), timeout=1))

    assert [severity for severity, _ in found] == ["error"]


def test_a_certificate_is_judged_by_the_authority_that_is_configured(settings: Any) -> None:
    with MisbehavingServer("inactive", tls=True) as server:
        unknown = diagnose(settings, server.settings())
        known = diagnose(settings, server.settings(verify=CERTIFICATE))
        unverified = diagnose(settings, server.settings(verify=False))

    assert [severity for severity, _ in unknown] == ["error"]
    assert "the certificate is not good: self-signed certificate" in unknown[0][1]
    assert known[0][0] == "ok"
    assert "TLSv1.3, certificate good for" in known[0][1]
    assert unverified[0][1].endswith("certificate not verified)")


def discovering(issuer: str, **options: Any) -> dict[str, Any]:
    """Return settings that name the issuer, whose metadata names the endpoint."""
    own = {"issuer": issuer, "client_id": "orders-api", "client_secret": CLIENT_SECRET, **options}
    return {"BACKENDS": {"default": {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": own}}}


def test_an_issuer_that_is_down_is_named_by_its_host(settings: Any) -> None:
    with refusing_url() as url:
        place = urlsplit(url).netloc
        found = diagnose(settings, discovering(url))

    assert found == [("error", f"{place} takes no connection: ConnectionRefusedError")]


def test_an_issuer_whose_proxy_is_down_is_not_blamed(settings: Any) -> None:
    with refusing_url() as url:
        place = urlsplit(url).netloc
        found = diagnose(settings, discovering("https://id.example.com", proxy=f"http://us:secret@{place}"))

    assert found == [("error", f"the proxy {place} takes no connection: ConnectionRefusedError")]


def test_a_proxy_that_does_not_reach_the_issuer_is_named(settings: Any) -> None:
    with MisbehavingServer() as proxy:  # which knows no CONNECT
        place = urlsplit(proxy.origin).netloc
        settings.TOKEN_INTROSPECTION = discovering("https://id.example.com", proxy=proxy.origin)
        (finding,) = token_backends["default"].diagnose()

    through = f"id.example.com cannot be reached through the proxy {place}"
    assert finding.what == f"the metadata cannot be read: {through}: ProxyError 501"
    assert finding.mend == f"Check that the server runs, that the proxy {place} reaches it, and that 'verify' fits."


def test_an_issuer_that_is_down_behind_its_own_proxy_is_not_a_wrong_issuer(settings: Any) -> None:
    with MisbehavingServer("status", code=502) as server:
        settings.TOKEN_INTROSPECTION = discovering(server.origin)
        (finding,) = token_backends["default"].diagnose()

    assert finding.what.startswith("the metadata cannot be read: the server of the issuer is away: ")
    assert finding.mend == "Check that the server runs."


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_issuer_of_the_metadata_is_shown_if_it_differs(slash: str, settings: Any) -> None:
    with MisbehavingServer() as server:
        other = server.origin + ("" if slash else "/")
        document = {"issuer": other, "introspection_endpoint": server.url}
        server.behave("body", at=OAUTH, content=json.dumps(document).encode())
        settings.TOKEN_INTROSPECTION = discovering(server.origin + slash)
        (finding,) = token_backends["default"].diagnose()

    assert f"the document is that of another issuer, '{other}'" in finding.what
    assert "a slash at its end counts" in finding.mend


def test_an_issuer_that_does_not_say_where_to_ask_is_said(settings: Any) -> None:
    with MisbehavingServer("status", code=404) as server:
        found = diagnose(settings, discovering(server.url))

    assert [severity for severity, _ in found] == ["error"]
    assert found[0][1].startswith("the metadata cannot be read: no introspection_endpoint is found in")


@pytest.fixture
def issuer() -> Iterator[MisbehavingServer]:
    """An issuer of JWTs, with one key for ES256."""
    with MisbehavingServer() as server:
        publish(server, public())
        yield server


def test_the_keys_of_an_issuer_are_fetched_by_its_metadata(settings: Any, issuer: MisbehavingServer) -> None:
    found = diagnose(settings, {"BACKENDS": {"default": jwt_settings(issuer.origin)}})

    assert [severity for severity, _ in found] == ["ok", "ok", "warning"]
    assert found[1][1] == "keys that can verify its tokens: 1"
    assert found[2][1] == "the clocks cannot be compared: the answer has no date"
    assert [request.path for request in issuer.requests] == [OAUTH, JWKS]


def test_keys_for_other_algorithms_are_of_no_use(settings: Any, issuer: MisbehavingServer) -> None:
    found = diagnose(settings, {"BACKENDS": {"default": jwt_settings(issuer.origin, algorithms=["RS256", "EdDSA"])}})

    assert found[1] == ("error", "no key is for EdDSA, RS256")


@pytest.mark.parametrize(
    ("keys", "options", "said"),
    [
        ([public(), public("two", "ES384")], {"algorithms": ["ES256"]}, "ES384"),
        ([public(), {**public("two", "RS256"), "alg": "PS512"}], {"algorithms": ["ES256", "RS256"]}, "PS512"),
        ([public(), {"kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "kid": "pq", "pub": "AA"}], {}, "ML-DSA-44"),
        ([public(), {"kty": "oct", "alg": "HS256", "k": "AA"}], {}, "HS256"),
    ],
    ids=["curve", "alg of the key", "unknown to us", "shared secret"],
)
def test_keys_for_an_algorithm_that_is_not_accepted_are_named(
    keys: list[Any], options: dict[str, Any], said: str, settings: Any, issuer: MisbehavingServer
) -> None:
    publish(issuer, *keys)

    found = diagnose(settings, {"BACKENDS": {"default": jwt_settings(issuer.origin, **options)}})

    assert found[1] == ("ok", "keys that can verify its tokens: 1")
    assert found[2] == ("warning", f"keys are published for '{said}', which is not accepted")


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": "AA", "e": "AQAB"},
        {"kty": "RSA", "alg": "RSA-OAEP-256", "n": "AA", "e": "AQAB"},
        public("two", "RS256"),
        {**public("two", "ES256"), "alg": "ES256"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"alg": 7},
        "no key",
    ],
    ids=[
        "encryption",
        "encryption by alg",
        "several algorithms",
        "accepted",
        "agreement",
        "alg of a wrong type",
        "no key",
    ],
)
def test_other_keys_cause_no_warning(key: Any, settings: Any, issuer: MisbehavingServer) -> None:
    publish(issuer, public(), key)

    found = diagnose(settings, {"BACKENDS": {"default": jwt_settings(issuer.origin, algorithms=["ES256", "RS512"])}})

    assert "published for" not in str(found)


def test_keys_that_cannot_be_read_are_said(settings: Any, issuer: MisbehavingServer) -> None:
    issuer.behave("body", at=JWKS, content=b"[]")

    found = diagnose(settings, {"BACKENDS": {"default": jwt_settings(issuer.origin)}})

    assert found[1][0] == "error"
    assert found[1][1].startswith("the keys cannot be had: ")


def test_an_issuer_that_is_away_is_said(settings: Any) -> None:
    with refusing_url() as url:
        settings_of_keys = jwt_settings("https://auth.example.com", jwks_uri=url)
        found = diagnose(settings, {"BACKENDS": {"default": settings_of_keys}})

    assert [severity for severity, _ in found] == ["error"]
    assert "takes no connection: ConnectionRefusedError" in found[0][1]


def test_a_backend_that_only_chooses_asks_nobody(settings: Any) -> None:
    remote = remote_settings("https://auth.example.com/introspect", audience="urn:a")["BACKENDS"]["default"]
    routing = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": {"prefixes": {"a_": "partner"}}}

    assert diagnose(settings, {"BACKENDS": {"default": routing, "partner": remote}}) == [
        ("ok", "it chooses from partner")
    ]


@pytest.mark.parametrize(
    ("ahead", "severity", "what"),
    [
        (0, "ok", "the clocks agree"),
        (-10, "ok", "the clock there is 10 s behind ours"),
        (20, "warning", "the clock there is 20 s ahead of ours"),
        (-60, "error", "the clock there is 60 s behind ours"),
    ],
)
def test_a_clock_that_is_off_is_judged_by_the_leeway(ahead: int, severity: str, what: str) -> None:
    now = float(int(time.time()))

    found = clock(formatdate(now + ahead, usegmt=True), now, uncertain=1)

    assert (found.severity, found.what) == (severity, what)


@pytest.mark.parametrize("date", [None, "", "yesterday"], ids=str)
def test_an_answer_without_a_date_leaves_the_clocks_open(date: str | None) -> None:
    assert clock(date, time.time(), uncertain=1).severity == "warning"


def test_an_answer_that_takes_half_of_the_timeout_is_a_warning() -> None:
    assert latency(2.4, 5).severity == "ok"
    assert latency(2.6, 5).severity == "warning"


def test_a_backend_of_the_project_is_asked_as_well(settings: Any) -> None:
    assert diagnose(settings, {"BACKENDS": {"default": {"BACKEND": f"{__name__}.Gullible"}}}) == [
        ("error", "a random token is active")
    ]


@pytest.mark.django_db
def test_the_database_and_its_backend_are_asked() -> None:
    members, _ = doctor()

    assert of("database", members) == [("ok", "the database 'default' is migrated")]
    ((severity, what),) = of("backend default", members)
    assert (severity, what.startswith("a random token is inactive, in ")) == ("ok", True)


@pytest.mark.django_db(transaction=True)
def test_a_database_without_the_tables_is_said() -> None:
    with without_table(Token):
        members, code = doctor()

    ((severity, what),) = of("database", members)
    assert (severity, what) == ("error", "the database 'default' is migrated, and has no table introspection_token")
    ((severity, what),) = of("backend default", members)
    assert severity == "error"
    assert what.startswith("it cannot answer: the database does not answer: ")
    assert what.endswith("Error")
    assert code == 1


@pytest.mark.django_db
def test_a_backend_that_cannot_be_made_is_said_and_the_others_are_tried(settings: Any) -> None:
    backends = settings.TOKEN_INTROSPECTION["BACKENDS"]
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "BACKENDS": {"partner": {"BACKEND": "django_introspection.backends.RemoteBackend"}, **backends},
    }
    members, code = doctor()

    assert [what for severity, what in of("settings", members) if severity == "error" and "'partner'" in what]
    assert of("backend partner", members) == []
    assert len(of("backend default", members)) == 1
    assert (members["worst"], code) == ("error", 1)


@pytest.mark.django_db
def test_settings_that_are_none_are_said_without_a_traceback(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": [], "REVOCATIONS": {"ALIAS": "elsewhere"}}
    members, code = doctor()

    assert code == 1
    assert len([what for severity, what in of("settings", members) if severity == "error"]) >= 2


def run(project: Project, settings: str, **variables: str) -> tuple[Any, int]:
    finished = project.run("manage.py introspection_doctor --json", DJANGO_SETTINGS_MODULE=settings, **variables)
    assert "Traceback" not in finished.stderr
    return json.loads(finished.stdout), finished.returncode


@pytest.mark.processes
def test_a_pure_resource_server_has_the_command_and_is_well(tmp_path: Path) -> None:
    with answering(f"Date: {formatdate(usegmt=True)}") as server:
        members, code = run(Project(tmp_path), RESOURCE_ONLY, INTROSPECTION_URL=server.url)

    assert {each["severity"] for each in members["findings"]} == {"ok"}
    assert {each["about"] for each in members["findings"]} == {"settings", "backend default", "caches"}
    assert (members["worst"], code) == ("ok", 0)


@pytest.mark.processes
def test_what_is_printed_for_people_says_what_to_mend_and_no_secret(tmp_path: Path) -> None:
    with MisbehavingServer("status", code=401) as server:
        finished = Project(tmp_path).run(
            "manage.py introspection_doctor", DJANGO_SETTINGS_MODULE=RESOURCE_ONLY, INTROSPECTION_URL=server.url
        )

    assert finished.returncode == 1
    assert finished.stderr == "CommandError: Errors: 1.\n"
    assert "\nbackend default\n" in finished.stdout
    assert (
        "\n  error    the authorization server refuses this resource server: 401\n           Compare client ID, secret"
        in (finished.stdout)
    )
    assert "the secret of the orders API" not in finished.stdout


MEMORY = {
    "shared": "a tombstone can be written and read, and none was lost since 2026-05-01 00:00:00 UTC",
    "private": "the marker is missing: the cache has lost its data",
    "default": "a tombstone was written and is not there",
    "away": "the cache does not answer",
}
"""What the doctor says of the memory of a resource server, by the alias of its cache."""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("cache", "expected", "code"),
    [
        ("shared", [("ok", "is shared with other processes"), ("ok", "another process sees a tombstone")], 0),
        ("private", [("warning", "is not shared"), ("error", "another process does not see a tombstone")], 1),
        ("default", [("warning", "is not shared"), ("error", "another process does not see a tombstone")], 1),
        ("away", [("error", "does not answer"), ("error", "a tombstone cannot be written")], 1),
    ],
)
def test_another_process_looks_into_the_caches(tmp_path: Path, cache: str, expected: Found, code: int) -> None:
    shared = FileBasedCache(str(tmp_path / "cache"), {})
    shared.set("introspection:revoked:whole", int(datetime(2026, 5, 1, tzinfo=UTC).timestamp()), None)
    with answering(f"Date: {formatdate(usegmt=True)}") as server:
        members, exit_code = run(Project(tmp_path), CACHING, INTROSPECTION_URL=server.url, CACHE=cache)

    found = of("caches", members)
    ((_, memory),) = of("revocations", members)
    assert memory.startswith(MEMORY[cache])
    assert [severity for severity, _ in found] == [severity for severity, _ in expected]
    assert all(part in what for (_, what), (_, part) in zip(found, expected, strict=True))
    assert f"the cache '{cache}' (answers of default, tombstones)" in found[0][1]
    assert exit_code == code


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["introspection", "introspection_personal_tokens", "introspection_events"])
def test_the_migrations_of_every_app_of_the_package_are_looked_for(app: str) -> None:
    MigrationRecorder.Migration.objects.filter(app=app).delete()

    members, code = doctor()

    ((severity, what),) = of("database", members)
    assert (severity, code) == ("error", 1)
    assert what.startswith("not migrated: ")
    assert f"{app}.0001_initial" in what


@pytest.mark.processes
def test_an_authorization_server_without_tables_is_not_migrated(tmp_path: Path) -> None:
    members, code = run(Project(tmp_path), "tests.projects.commands")

    ((severity, what),) = of("database", members)
    assert (severity, code) == ("error", 1)
    assert what.startswith("not migrated: ")
    assert "introspection.0001_initial" in what


@pytest.mark.processes
def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'missing' / 'database'}"

    members, code = run(Project(tmp_path), "tests.projects.commands", DATABASE_URL=url)

    assert of("database", members) == [("error", "the database 'default' does not answer: OperationalError")]
    assert code == 1


def test_the_memory_of_an_authorization_server_is_restored_by_its_next_request(db: None, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    place = introspection_settings.REVOCATIONS
    (missing,) = diagnose_memory(place, reads_cut_offs=False)
    factories.TokenFactory()
    (restored,) = diagnose_memory(place, reads_cut_offs=False)

    assert (missing.severity, restored.severity) == ("warning", "ok")
    assert missing.what == "the marker is missing until the next request to this authorization server"


def test_the_memory_of_cut_offs_alone_is_theirs(db: None, settings: Any, issuer: MisbehavingServer) -> None:
    entry = jwt_settings(issuer.origin, cut_offs=True)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": entry}, "REVOCATIONS": {"TOMBSTONES": False}}

    missing = of("revocations", doctor()[0])
    restore_cut_offs()
    restored, _ = doctor()

    assert missing == [
        ("error", "the marker of cut-offs is missing: tokens of backends with the option cut_offs are not judged")
    ]
    assert of("revocations", restored) == [("ok", "no cut-off was lost")]
    assert "tombstone" not in str(restored)


@pytest.mark.processes
def test_an_authorization_server_is_well(project: Project) -> None:
    members, code = run(project, "tests.projects.commands")

    assert (members["worst"], code) == ("ok", 0)
    assert of("caches", members) == [
        ("ok", "the cache 'default' (failures of callers, used client assertions) is shared with other processes")
    ]
