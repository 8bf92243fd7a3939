"""The browser story: `python -m example_project.browser_demo` starts three processes and says where to go.

They stay up until Enter or Ctrl-C. This one needs the extra `oauth-toolkit`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

from .browser_clients import OPERATOR, PERSON
from .demo import served
from .settings.base import DIRECTORY, ROOT


def main() -> int:
    print("Preparing the database and the demo clients …", flush=True)
    with served("oauth_toolkit_server") as server, order_book(server) as page:
        print(f"""
Three processes stay up until Enter or Ctrl-C.

  1. Order book   {page}/
     Sign in as {PERSON}, password {PERSON}, and see what the token may do.
  2. Admin        {server}/admin/oauth2_provider/accesstoken/
     In a private window, log in as {OPERATOR}, password {OPERATOR}.
     Tick the token and choose "Revoke selected access tokens".
  3. In the order book, choose "Ask again": the orders API refuses the token.
""")
        with contextlib.suppress(KeyboardInterrupt, EOFError):
            input("Press Enter or Ctrl-C to stop. ")
    return 0


@contextlib.contextmanager
def order_book(authorization_server: str, **environment: str) -> Iterator[str]:
    """Run the orders API and the web page that uses it, both known to an authorization server that runs."""
    told = {
        **environment,
        "AUTHORIZATION_SERVER": authorization_server,
        "ORDERS_API_CLIENT_SECRET": secrets.token_urlsafe(48),
        "WEB_CLIENT_SECRET": secrets.token_urlsafe(48),
    }
    with served("resource_server", **told) as api, served("web_client", **told, RESOURCE_SERVER=api) as page:
        fill = [sys.executable, "-m", "example_project.browser_clients", f"{page}/signed-in"]
        subprocess.run(fill, cwd=ROOT, env={**os.environ, "EXAMPLE_DIR": str(DIRECTORY), **told}, check=True)
        yield page


if __name__ == "__main__":
    sys.exit(main())
