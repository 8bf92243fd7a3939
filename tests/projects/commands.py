"""A project that logs all it can to stderr, for the commands to run in."""

from tests.settings import *  # noqa: F403

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "DEBUG"},
    "loggers": {"django_introspection": {"level": "DEBUG"}, "asyncio": {"level": "WARNING"}},
}
