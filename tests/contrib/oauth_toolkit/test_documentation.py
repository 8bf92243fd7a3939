"""The page about django-oauth-toolkit tells the truth: its code runs in a new project."""

from __future__ import annotations

from pathlib import Path

from tests.test_documentation import Block, blocks, project, run

PAGE = "docs/oauth-toolkit.rst"

BEFORE = Block(
    "settings.py",
    'INSTALLED_APPS += ["oauth2_provider"]\n'
    'OAUTH2_PROVIDER = {"SCOPES": {"orders:read": "Read orders"}}\n'
    'DATABASES["default"]["NAME"] = ":memory:"\n'
    'DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"\n',
)
STORY = """
import base64
call_command("migrate", verbosity=0)
from oauth2_provider.models import Application
kind = {"client_type": "confidential", "authorization_grant_type": "client-credentials"}
for name in ("orders-api", "shop"):
    Application.objects.create(client_id=name, client_secret="the-secret", **kind)
exec(compile(open("shell.py").read(), "shell.py", "exec"))

def ask(path, name, **form):
    credentials = base64.b64encode(f"{name}:the-secret".encode()).decode()
    return browser.post(
        path,
        "&".join(f"{key}={value}" for key, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Basic {credentials}"},
    )

token = expect(ask("/o/token/", "shop", grant_type="client_credentials"), 200).json()["access_token"]
answer = expect(ask("/o/introspect/", "orders-api", token=token), 200).json()
assert (answer["active"], answer["client_id"], answer["iss"]) == (True, "shop", "https://auth.example.com"), answer
assert expect(ask("/o/introspect/", "shop", token=token), 200).json()["active"] is True
from shop.views import Orders, end_all_of
from rest_framework.test import APIRequestFactory
from rest_framework.response import Response
Orders.get = lambda self, request: Response({"client": request.auth.client_id})
request = APIRequestFactory().get("/orders", headers={"Authorization": f"Bearer {token}"})
assert Orders.as_view()(request).data == {"client": "shop"}
end_all_of(None)
assert expect(ask("/o/introspect/", "orders-api", token=token), 200).json() == {"active": False}
"""


def test_the_page_makes_a_project_with_our_endpoint_over_their_tables(tmp_path: Path) -> None:
    named = [block if block.file else Block("views.py", block.code) for block in blocks(PAGE)]

    run(project(tmp_path, [BEFORE, *named]), STORY)
