"""The plugin in projects of other people: each a pytest of its own, with the plugin as it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.test_documentation import Block, blocks, project

pytestmark = pytest.mark.processes

SETTINGS = Block(
    "settings.py",
    dedent("""
    INSTALLED_APPS += ["rest_framework", "django_introspection.resource_server"]
    TOKEN_INTROSPECTION = {
        "BACKENDS": {
            "default": {
                "BACKEND": "django_introspection.backends.RemoteBackend",
                "OPTIONS": {
                    "introspection_url": "https://auth.example.com/introspect",
                    "client_id": "orders-api",
                    "client_secret": "a secret",
                    "audience": "https://api.example.com/orders",
                },
            },
        },
    }
    """),
)
URLS = Block(
    "urls.py",
    dedent("""
    from .views import OrderList
    urlpatterns += [path("orders/", OrderList.as_view())]
    """),
)


@pytest.fixture
def documented(tmp_path: Path) -> Path:
    """A new project with every block of the page."""
    return project(tmp_path, [SETTINGS, URLS, *blocks("docs/testing.rst")])


OTHER_PLUGINS = ("anyio", "faker", "hypothesispytest", "pytest_cov", "randomly", "time_machine", "xdist")
"""Plugins of the test group that these projects do not need, and that take half a second to import."""


def run(directory: Path, *command: str, **environment: str) -> str:
    """Run a command with the warnings as errors; return what it prints."""
    ours = {"PYTEST_ADDOPTS", "DJANGO_SETTINGS_MODULE", "PYTEST_PLUGINS"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours and "XDIST" not in name}
    finished = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=directory,
        env={**inherited, "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in OTHER_PLUGINS), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def test_the_tests_of_the_page_pass_in_a_new_project(documented: Path) -> None:
    assert "6 passed" in run(documented, "-m", "pytest", "--ds=shop.settings", "-q")


def test_the_unittest_of_the_page_passes_with_the_test_runner_of_django(documented: Path) -> None:
    assert "Ran 1 test" in run(documented, "manage.py", "test", "shop", "-p", "test_orders_unittest.py")


def test_a_project_without_django_does_not_notice_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        dedent("""
        import sys

        def test_nothing_was_imported(request):
            assert "_django_introspection_pytest" in sys.modules
            assert {"django", "rest_framework", "httpx2", "django_introspection"}.isdisjoint(sys.modules)
            assert not [name for name in request.fixturenames if "introspection" in name]
        """)
    )

    plugin_alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "_django_introspection_pytest"}
    assert "1 passed" in run(tmp_path, "-m", "pytest", "-q", **plugin_alone)


def test_the_server_needs_no_django_settings(tmp_path: Path) -> None:
    (tmp_path / "test_client.py").write_text(
        dedent("""
        import httpx2

        def test_a_client_of_ours(authorization_server):
            response = httpx2.post(
                authorization_server.issuer + "/token",
                data={"grant_type": "client_credentials"},
                auth=(authorization_server.client_id, authorization_server.client_secret),
            )
            assert response.json()["token_type"] == "Bearer"
        """)
    )

    assert "1 passed" in run(tmp_path, "-m", "pytest", "-p", "no:django", "-q")


def test_the_fixtures_say_what_they_are_for(tmp_path: Path) -> None:
    listed = run(tmp_path, "-m", "pytest", "-p", "no:django", "--fixtures", "-q")

    assert "introspection_tokens" in listed
    assert "Let the tokens of django_introspection.testing be good" in listed
    assert "Run an authorization server on a loopback port" in listed
