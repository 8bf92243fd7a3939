"""Every request in a transaction, unless the view says otherwise."""

from tests import services
from tests.settings import *  # noqa: F403

DATABASES = {"default": {**services.database("atomic_requests"), "ATOMIC_REQUESTS": True}}
