"""A project whose REST_FRAMEWORK settings are all as bad for our endpoints as they can be."""

from __future__ import annotations

from typing import Any

from tests.settings import *  # noqa: F403

HERE = "tests.projects.hostile_drf_parts"

REST_FRAMEWORK: dict[str, Any] = {
    **dict.fromkeys(
        (
            "DEFAULT_RENDERER_CLASSES",
            "DEFAULT_PARSER_CLASSES",
            "DEFAULT_AUTHENTICATION_CLASSES",
            "DEFAULT_PERMISSION_CLASSES",
            "DEFAULT_THROTTLE_CLASSES",
            "DEFAULT_FILTER_BACKENDS",
            "TEST_REQUEST_RENDERER_CLASSES",
        ),
        [f"{HERE}.Explosive"],
    ),
    **dict.fromkeys(
        (
            "DEFAULT_CONTENT_NEGOTIATION_CLASS",
            "DEFAULT_METADATA_CLASS",
            "DEFAULT_VERSIONING_CLASS",
            "DEFAULT_PAGINATION_CLASS",
            "DEFAULT_SCHEMA_CLASS",
            "UNAUTHENTICATED_USER",
            "UNAUTHENTICATED_TOKEN",
        ),
        f"{HERE}.Explosive",
    ),
    **dict.fromkeys(("VIEW_NAME_FUNCTION", "VIEW_DESCRIPTION_FUNCTION", "EXCEPTION_HANDLER"), f"{HERE}.explode"),
    **dict.fromkeys(
        ("DATE_FORMAT", "DATETIME_FORMAT", "TIME_FORMAT", "DURATION_FORMAT", "NON_FIELD_ERRORS_KEY"), "error"
    ),
    **dict.fromkeys(("DATE_INPUT_FORMATS", "DATETIME_INPUT_FORMATS", "TIME_INPUT_FORMATS"), []),
    **dict.fromkeys(
        ("SEARCH_PARAM", "ORDERING_PARAM", "VERSION_PARAM", "URL_FORMAT_OVERRIDE", "URL_FIELD_NAME"), "token"
    ),
    **dict.fromkeys(
        ("UNICODE_JSON", "COMPACT_JSON", "STRICT_JSON", "COERCE_DECIMAL_TO_STRING", "UPLOADED_FILES_USE_URL"), False
    ),
    **dict.fromkeys(("LIST_SERIALIZER_ERRORS_AS_DICT", "SCHEMA_COERCE_PATH_PK"), False),
    "COERCE_BIGINT_TO_STRING": True,
    "DEFAULT_THROTTLE_RATES": {"user": "0/day", "anon": "0/day"},
    "NUM_PROXIES": 0,
    "PAGE_SIZE": 1,
    "DEFAULT_VERSION": "none",
    "ALLOWED_VERSIONS": ["none"],
    "TEST_REQUEST_DEFAULT_FORMAT": "explosive",
    "FORMAT_SUFFIX_KWARG": "issuer_path",
    "HTML_SELECT_CUTOFF": 0,
    "HTML_SELECT_CUTOFF_TEXT": "",
    "SCHEMA_COERCE_METHOD_NAMES": {},
}
