"""Time the admin's pages about tokens with many rows against the same pages with few: `python -m benchmarks.admin`.

DATABASE_URL names a PostgreSQL server, ROWS how many tokens there are to be. A ratio near 1 means that a page does not
care; the overview reads all tokens of four weeks, and does.
"""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Any

import django

FEW = 20_000
ROWS = int(os.environ.get("ROWS", "5_000_000"))
ROUNDS = 7
LIST = "/admin/introspection/token/"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        few = measured(FEW)
        many = measured(ROWS)
    finally:
        teardown_databases(databases, verbosity=0)
    print(f"{'page':18}  {'many / few':>10}  {f'{ROWS:,} rows, ms':>20}")
    for page, seconds in many.items():
        print(f"{page:18}  {seconds / few[page]:>10.2f}  {seconds * 1e3:>20.1f}")


def measured(rows: int) -> dict[str, float]:
    """Fill the table anew and return the seconds of each page."""
    from django.db import connection
    from django.test import Client as Browser

    from tests import factories
    from tests.scale.rows import fill, without_indexes

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE introspection_token, introspection_client, auth_user CASCADE")
        with without_indexes():
            fill(rows)
        cursor.execute("VACUUM (ANALYZE) introspection_token, introspection_client, auth_user")
    browser = Browser()
    browser.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
    issued = factories.TokenFactory()
    asked = {"token": issued.access_token, "backend": "default", "caller": issued.token.client.client_id}
    pages: dict[str, Any] = {
        "list": lambda: browser.get(LIST),
        "active": lambda: browser.get(LIST, {"state": "active"}),
        "revoked": lambda: browser.get(LIST, {"state": "revoked"}),
        "of a large client": lambda: browser.get(LIST, {"client": "client-1"}),
        "issued this year": lambda: browser.get(LIST, {"issued": time.strftime("%Y")}),
        "search": lambda: browser.get(LIST, {"q": str(issued.token.pk)}),
        "debugger": lambda: browser.post(f"{LIST}debugger/", asked),
        "overview": lambda: browser.get(f"{LIST}overview/"),
    }
    for page in pages.values():
        seconds(page)
    return {name: median(seconds(page) for _ in range(ROUNDS)) for name, page in pages.items()}


def seconds(page: Any) -> float:
    started = time.perf_counter()
    response = page()
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.content!r}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
