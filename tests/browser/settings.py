"""The project that the browser visits: strict about what a page may load, each thread with a connection of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, MIDDLEWARE

MIDDLEWARE = ["tests.browser.content_security_policy.strict", *MIDDLEWARE]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    file = str(Path(tempfile.gettempdir(), f"introspection-browser-{os.getpid()}.sqlite3"))
    DATABASES["default"] |= {"NAME": file, "TEST": {"NAME": file}}
