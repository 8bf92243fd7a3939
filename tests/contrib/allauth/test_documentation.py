"""The page about allauth tells the truth: its code runs in a new project."""

from __future__ import annotations

from pathlib import Path

from tests.test_documentation import Block, blocks, project, run

PAGE = "docs/allauth.rst"

BEFORE = Block(
    "settings.py",
    'INSTALLED_APPS += ["allauth", "allauth.account", "allauth.idp", "allauth.idp.oidc"]\n'
    'MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]\n'
    'DATABASES["default"]["NAME"] = ":memory:"\n'
    'DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"\n',
)
STORY = """
import base64
call_command("migrate", verbosity=0)
from allauth.idp.oidc.models import Client as OIDCClient
shop = OIDCClient(id="shop", name="Shop", grant_types="client_credentials", scopes="orders:read")
shop.set_secret("the-secret")
shop.save()

def ask(path, **form):
    credentials = base64.b64encode(b"shop:the-secret").decode()
    return browser.post(
        path,
        "&".join(f"{key}={value}" for key, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Basic {credentials}"},
    )

granted = ask("/identity/o/api/token", grant_type="client_credentials", scope="orders:read")
token = expect(granted, 200).json()["access_token"]
answer = expect(ask("/identity/o/api/introspect", token=token), 200).json()
assert (answer["active"], answer["client_id"], answer["iss"]) == (True, "shop", "https://auth.example.com"), answer
from shop.views import Orders
from rest_framework.test import APIRequestFactory
from rest_framework.response import Response
Orders.get = lambda self, request: Response({"client": request.auth.client_id})
request = APIRequestFactory().get("/orders", headers={"Authorization": f"Bearer {token}"})
assert Orders.as_view()(request).data == {"client": "shop"}
expect(ask("/identity/o/api/revoke", token=token), 200)
assert expect(ask("/identity/o/api/introspect", token=token), 200).json() == {"active": False}
"""


def test_the_page_makes_a_project_with_our_endpoint_over_their_tables(tmp_path: Path) -> None:
    named = [block if block.file else Block("views.py", block.code) for block in blocks(PAGE)]

    run(project(tmp_path, [BEFORE, *named]), STORY)
