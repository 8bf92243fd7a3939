"""The same project, with every model of django-oauth-toolkit swapped."""

from tests import services
from tests.contrib.oauth_toolkit.settings import *  # noqa: F403
from tests.contrib.oauth_toolkit.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.contrib.oauth_toolkit.swapped"]
DATABASES = {"default": services.database("oauth_toolkit_swapped")}
# Tables without migrations come before those with some, and these refer to users.
DATABASES["default"].setdefault("TEST", {})["MIGRATE"] = False
OAUTH2_PROVIDER_APPLICATION_MODEL = "swapped.Program"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "swapped.Access"
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "swapped.Refresh"
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "swapped.Identity"
OAUTH2_PROVIDER_GRANT_MODEL = "swapped.Code"
