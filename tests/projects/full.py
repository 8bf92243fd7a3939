"""Both sides in one process: the settings of the suite itself."""

from tests.settings import *  # noqa: F403
