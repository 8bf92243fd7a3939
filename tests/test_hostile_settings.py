from __future__ import annotations

import json

import pytest
from rest_framework.settings import DEFAULTS

from tests.projects import hostile_drf
from tests.projects.run import run_module

PROBE = "tests.projects.probe_endpoints"


def test_the_hostile_project_sets_every_setting_that_drf_has() -> None:
    assert DEFAULTS.keys() - hostile_drf.REST_FRAMEWORK.keys() == set()


@pytest.mark.processes
def test_no_setting_of_drf_changes_a_byte_of_any_answer() -> None:
    usual = json.loads(run_module(PROBE, "tests.projects.full"))
    hostile = json.loads(run_module(PROBE, "tests.projects.hostile_drf"))

    assert hostile == usual
    assert [answer[2] for answer in usual] == [
        *(200, 200, 200, 400, 401, 401),  # introspect
        *(200, 400, 401, 405, 405, 405),  # token, methods
        *(200, 404, 200),  # metadata
        *(200, 200),  # revoke, introspect again
    ]
    assert '"active":true' in usual[0][4]
    assert usual[-1][4] == '{"active":false}'
