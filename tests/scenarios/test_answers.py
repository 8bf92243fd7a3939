"""A protected view whose authorization server gives the answer of a row."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from tests import jose
from tests.backends.issuers import OAUTH, public, publish
from tests.misbehaving.server import CLIENT_ID, PATH, MisbehavingServer, refusing_url, remote_settings
from tests.scenarios.tables import Row, filled, played
from tests.scenarios.views import REQUEST, VIEW, ask

INPUTS = (
    VIEW
    | REQUEST
    | {"token", "answer", "body", "status", "server", "options", "cache", "signed", "found_later", "without_options"}
)
ANSWER_TYPE = "application/token-introspection+jwt"


@played("answers")
def test_an_answer_is_read_as_its_row_says(row: Row, settings: Any) -> None:
    given = filled(row.given)
    token = given.get("token", "a-token-of-somebody-else")
    if given.get("server") == "down":
        with refusing_url() as url:
            settings.TOKEN_INTROSPECTION = remote_settings(url)
            outcome, facts = ask(given, token)
        row.check(outcome, **facts)
        return
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = _settings(given, server)
        _behave(given, server)
        if given.get("found_later"):
            server.behave("status", at=OAUTH, code=404)
            ask(given, token)
            publish(server, introspection_endpoint=server.url)
        outcome, facts = ask(given, token)
    row.check(outcome, **facts, **_questions(server))


def _questions(server: MisbehavingServer) -> dict[str, Any]:
    """Return the facts about the requests to the introspection endpoint; the last one stands for all."""
    asked = server.requests_at(PATH)
    if not asked:
        return {"requests": 0}
    scheme, _, credentials = asked[-1].headers.get("Authorization", "").partition(" ")
    return {
        "requests": len(asked),
        "sent": {name: values[0] for name, values in asked[-1].form.items()},
        "names": sorted(asked[-1].form),
        "accept": asked[-1].headers["Accept"],
        "credentials": base64.b64decode(credentials).decode() if scheme == "Basic" else "",
    }


def _settings(given: Mapping[str, Any], server: MisbehavingServer) -> dict[str, Any]:
    own = filled(given.get("options", {}), server=server.origin, pem=jose.pem("ES256"))
    if "signed" in given:
        publish(server, *(public(alg, alg) for alg in ("ES256", "RS256")))
        own = {"issuer": server.origin, "signed_response": True, **own}
    values = server.settings(**own)
    for name in given.get("without_options", ()):
        del values["BACKENDS"]["default"]["OPTIONS"][name]
    if "cache" in given:
        values["BACKENDS"]["default"]["CACHE"] = given["cache"]
    return values


def _behave(given: Mapping[str, Any], server: MisbehavingServer) -> None:
    """Let the introspection endpoint answer as the row says."""
    content_type = "application/json"
    body = given.get("body", json.dumps(given.get("answer", {})))
    if "signed" in given:
        content_type, body = ANSWER_TYPE, _signed(given["signed"], given["answer"], server.origin)
    if "status" in given:
        server.behave("status", at=PATH, code=given["status"], content=body.encode())
    else:
        server.behave("body", at=PATH, content=body.encode(), content_type=content_type)


def _signed(signed: Mapping[str, Any], answer: Any, issuer: str) -> str:
    """Sign an answer (RFC 9701 §5) by the key of its algorithm."""
    alg = signed.get("alg", "ES256")
    header = {"alg": alg, "kid": alg, "typ": signed.get("typ", "token-introspection+jwt")}
    claims = {"iss": issuer, "aud": CLIENT_ID, "iat": int(time.time()), "token_introspection": answer}
    jwt = jose.sign(header, claims, jose.key(alg, alg))
    return jwt[:-8] + "AAAAAAAA" if signed.get("broken") else jwt
