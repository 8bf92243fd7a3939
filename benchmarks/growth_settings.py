"""The suite's project with two databases, one with few tokens and one with many."""

from tests import services
from tests.settings import *  # noqa: F403

DATABASES = {
    "default": {**services.database("growth"), "CONN_MAX_AGE": None},
    "few": {**services.database("growth_few"), "CONN_MAX_AGE": None},
}
DATABASE_ROUTERS = ["benchmarks.growth.Router"]
