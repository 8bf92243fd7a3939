"""Served under a prefix, with an issuer that has a path."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import TOKEN_INTROSPECTION

FORCE_SCRIPT_NAME = "/identity"
TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "ISSUER": "https://example.com/identity"}
DATABASES = {"default": services.database("script_name")}
