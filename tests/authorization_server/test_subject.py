from __future__ import annotations

from typing import Any

import pytest

from django_introspection.conf import introspection_settings, user_pk
from django_introspection.exceptions import InvalidSetting


def test_the_subject_is_the_primary_key_by_default(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    assert introspection_settings.SUBJECT is user_pk


@pytest.mark.parametrize(
    "path", ["nowhere.at_all", f"{__name__}.missing", "nodots", ".x", "", None, 7, [], "django_introspection.conf.DAY"]
)
def test_what_is_no_function_is_an_invalid_setting(settings: Any, path: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"SUBJECT": path}

    with pytest.raises(InvalidSetting, match="SUBJECT"):
        _ = introspection_settings.SUBJECT
