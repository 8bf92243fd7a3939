"""The suite's project as a server runs it: no debugging, no middleware, one database."""

from tests.settings import *  # noqa: F403

DEBUG = False
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.urls"
ALLOWED_HOSTS = ["*"]
LOGGING_CONFIG = None
