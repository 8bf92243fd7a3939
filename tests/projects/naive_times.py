"""USE_TZ off, in a zone with daylight saving."""

from tests import services
from tests.settings import *  # noqa: F403

USE_TZ = False
TIME_ZONE = "America/New_York"
DATABASES = {"default": services.database("naive_times")}
