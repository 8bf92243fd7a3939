"""A project that logs all it can to stderr, for the commands to run in; `CACHE_DIR` is a cache that processes share."""

import os

from tests.settings import *  # noqa: F403

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ["CACHE_DIR"],
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "DEBUG"},
    "loggers": {"django_introspection": {"level": "DEBUG"}, "asyncio": {"level": "WARNING"}},
}
SILENCED_SYSTEM_CHECKS = [
    "introspection.E045",
    "introspection.E046",
]  # files stand in for a server that processes share
