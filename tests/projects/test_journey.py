"""The same journey in projects that differ in what could break it, each in a process of its own."""

from __future__ import annotations

import pytest

from .run import run_tests

pytestmark = pytest.mark.processes

PROJECTS = ["custom_user", "naive_times", "atomic_requests", "login_required", "script_name", "replica"]


@pytest.mark.parametrize("project", PROJECTS)
def test_the_journey_works_in_the_project(project: str) -> None:
    run_tests("tests/projects/journey.py", f"tests.projects.{project}", expected=" passed")


def test_what_belongs_together_is_one_transaction_in_whatever_database() -> None:
    run_tests("tests/projects/one_transaction.py", "tests.projects.second_database", expected=" passed")


def test_people_revoke_access_in_whatever_database_the_tokens_are() -> None:
    journey = "tests/projects/journey.py::test_a_person_sees_an_app_and_revokes_its_access"
    run_tests(journey, "tests.projects.second_database", expected="1 passed")


def test_a_user_model_needs_no_base_class_of_django() -> None:
    run_tests("tests/projects/plain_user_journey.py", "tests.projects.plain_user", expected=" passed")
