"""What is imported before it is needed."""

from __future__ import annotations

import pytest

from tests.projects.run import run_module

pytestmark = pytest.mark.processes

FACES = [
    "django_introspection",
    "django_introspection.authentication",
    "django_introspection.backends",
    "django_introspection.checks",
    "django_introspection.conf",
    "django_introspection.decorators",
    "django_introspection.exceptions",
    "django_introspection.jose",
    "django_introspection.keys",
    "django_introspection.middleware",
    "django_introspection.permissions",
    "django_introspection.resource_server.local_users",
    "django_introspection.resource_server.management.commands.introspection_doctor",
    "django_introspection.security_log",
    "django_introspection.services",
    "django_introspection.signals",
    "django_introspection.testing",
    "django_introspection.throttling",
    "django_introspection.well_known_urls",
]
MODELS = [
    "django_introspection.models",
    "django_introspection.urls",
    "django_introspection.outbound.jwks",
    "django_introspection.management.commands.introspection_key",
]
HEAVY = {
    "httpx2",
    "httpcore2",
    "h11",
    "anyio",
    "joserfc",
    "cryptography",
    "drf_spectacular",
    "oauth2_provider",
    "oauthlib",
    "allauth",
    "opentelemetry",
}
PROBE = "tests.projects.resource_only.imports"


def imported(settings: str, *faces: str) -> set[str]:
    """Return the top-level modules, and ours, of a process that imported these faces."""
    return set(run_module(PROBE, settings, *faces).split())


def test_no_http_client_and_no_cryptography_is_imported_without_a_remote_backend() -> None:
    assert imported("tests.settings", *FACES, *MODELS) & HEAVY == set()


def test_nothing_that_signs_or_verifies_answers_is_imported_before_it_is_used() -> None:
    modules = imported("tests.settings", *FACES, *MODELS, "django_introspection.backends.remote")

    assert "django_introspection.authorization_server.views.introspect" in modules
    assert "django_introspection.backends.endpoint" in modules
    assert not [name for name in modules if name.rpartition(".")[2] in ("signed_answers", "signed_replies", "accept")]


def test_no_feed_of_revocations_is_imported_before_a_backend_follows_one() -> None:
    modules = imported("tests.settings", *FACES, *MODELS, "django_introspection.backends.remote")

    assert "django_introspection.backends.local_answers" in modules
    assert not [name for name in modules if name.startswith("django_introspection.backends.feed")]


def test_the_pages_for_people_are_not_imported_before_their_urls_are_included() -> None:
    modules = imported("tests.settings", *FACES, *MODELS)

    assert not [name for name in modules if name.startswith("django_introspection.self_service")]
    assert "django_introspection.self_service.views" in imported(
        "tests.settings", "django_introspection.self_service.urls"
    )


def test_a_resource_server_without_tables_imports_no_models() -> None:
    modules = imported("tests.projects.resource_only.settings", *FACES)

    assert modules & HEAVY == set()
    assert {name for name in modules if name.startswith("django_introspection.models")} == set()
    assert {name for name in modules if name.startswith("django_introspection.authorization_server")} == set()


def test_using_the_remote_backend_imports_the_http_client() -> None:
    """Show that the probe sees what it looks for."""
    assert "httpx2" in imported("tests.projects.resource_only.settings", "django_introspection.backends.remote")


@pytest.mark.parametrize("project", ["settings", "by_default"])
def test_each_face_can_be_imported_first(project: str) -> None:
    """Also where DRF imports ours as the defaults of APIView, in the middle of its own import."""
    faces = [*FACES, "rest_framework.views"]
    printed = run_module(f"{PROBE.rpartition('.')[0]}.first_imports", f"tests.projects.resource_only.{project}", *faces)
    modules = {face: set(names.split()) for face, names in (line.split(":") for line in printed.splitlines())}

    assert list(modules) == faces
    assert [face for face in faces if not {face, "rest_framework"} & modules[face]] == []
