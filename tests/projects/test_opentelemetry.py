"""Telemetry by the API of OpenTelemetry, in processes of its own: providers are set once in a process."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from django_introspection.contrib.opentelemetry import apps as opentelemetry_apps
from django_introspection.outbound.instrumentation import instrumentation

from .run import run_module, run_tests


@pytest.mark.processes
def test_what_is_observed_with_the_sdk() -> None:
    run_tests("tests/projects/opentelemetry/observed.py", "tests.projects.opentelemetry.settings", expected="20 passed")


@pytest.mark.processes
def test_without_an_sdk_nothing_is_recorded_and_every_answer_is_the_same() -> None:
    run_module("tests.projects.opentelemetry.without_sdk", "tests.projects.opentelemetry.settings")


def test_nothing_is_observed_unless_the_app_is_installed() -> None:
    assert not apps.is_installed("django_introspection.contrib.opentelemetry")
    assert instrumentation.around is None


def test_the_app_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opentelemetry_apps, "find_spec", lambda _: None)
    config = opentelemetry_apps.OpenTelemetryConfig.create("django_introspection.contrib.opentelemetry")

    with pytest.raises(ImproperlyConfigured, match=r"pip install 'django-introspection\[opentelemetry\]'"):
        config.ready()
