"""The examples of RFC 9449, sections 4 to 7, at our token endpoint and at a protected view."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import time_machine
from django.urls import include, path

from django_introspection.authentication import IntrospectionAuthentication
from tests import endpoints, factories
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import ask, protect

pytestmark = pytest.mark.django_db

JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
"""The thumbprint of the key of every example (RFC 9449 §6.1)."""
HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs"
    "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2"
    "In19"
)
TOKEN_PROOF = (
    f"{HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva"
    "2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xR"
    "ZT3Lg"
)
"""RFC 9449 §4.1 and §5."""
RESOURCE_PROOF = (
    f"{HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wc"
    "m90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFF"
    "byJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
"""RFC 9449 §7.1."""
ACCESS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


@pytest.fixture
def server_of_the_rfc(settings: Any) -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = [path("", include("django_introspection.urls"))]
    settings.ROOT_URLCONF = urls
    settings.TOKEN_INTROSPECTION = {"ISSUER": "https://server.example.com"}


@pytest.mark.usefixtures("server_of_the_rfc")
@pytest.mark.requirement("9449-5-b", "9449-6.2-a", "9449-4.2-a", "9449-4.3-a", "7638-3-a")
def test_the_token_request_of_the_rfc_gets_a_token_that_is_bound_to_its_key() -> None:
    form = {"grant_type": "client_credentials"}
    changed = TOKEN_PROOF[:-5] + "A" + TOKEN_PROOF[-4:]
    with time_machine.travel(1562262616, tick=False):
        machine, caller = factories.RegistrationFactory(), factories.ResourceServerFactory()
        refused = endpoints.post("/token", form, auth=machine, headers={"DPoP": changed})
        answer = endpoints.post("/token", form, auth=machine, headers={"DPoP": TOKEN_PROOF}).json()
        told = endpoints.post("/introspect", {"token": answer["access_token"]}, auth=caller).json()

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    assert answer["token_type"] == "DPoP"
    assert (told["cnf"], told["token_type"]) == ({"jkt": JKT}, "DPoP")


@pytest.mark.requirement("9449-7.1-a", "9449-4.3-d", "9449-4.3-e")
@pytest.mark.parametrize(("proof", "status"), [(RESOURCE_PROOF, 200), (TOKEN_PROOF, 401), (None, 401)])
def test_the_resource_request_of_the_rfc_opens_a_view(settings: Any, proof: str | None, status: int) -> None:
    view = protect(authentication_classes=[type("Proven", (IntrospectionAuthentication,), {"schemes": ("DPoP",)})])
    headers = {"Authorization": f"DPoP {ACCESS_TOKEN}", **({} if proof is None else {"DPoP": proof})}
    with MisbehavingServer() as server, time_machine.travel(1562262618, tick=False):
        audience = "https://resource.example.org/protectedresource"
        settings.TOKEN_INTROSPECTION = server.settings(audience=audience)
        server.behave("active", aud=audience, token_type="DPoP", cnf={"jkt": JKT}, sub="someone", client_id="c")

        assert ask(view, headers=headers, path="/protectedresource").status_code == status
