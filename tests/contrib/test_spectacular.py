"""What drf-spectacular says of our endpoints and of views that we protect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from django_introspection.models import GrantType
from tests.projects.run import run_module

FORM = "application/x-www-form-urlencoded"
pytestmark = pytest.mark.processes

ENDPOINTS = ["/oauth/introspect/", "/oauth/token/", "/oauth/revoke/"]
LEAKED, ALERTS, FEED = "/oauth/leaked/", "/oauth/leaked/alerts/", "/oauth/revocations/"
METADATA = "/.well-known/oauth-authorization-server"
BASIC: dict[str, list[str]] = {"clientSecretBasic": []}


def generate(settings: str) -> Any:
    """Return the schema of a project; it is validated, and a warning fails."""
    options = ("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json")
    return json.loads(run_module("django", f"tests.projects.openapi.{settings}", *options))


CREDENTIALS = ("client_id", "client_secret", "client_assertion_type", "client_assertion")


@pytest.fixture(scope="module")
def schema() -> Any:
    return generate("full")


@pytest.fixture(scope="module")
def resource_server_schema() -> Any:
    return generate("resource_server")


def test_every_endpoint_is_there_and_one_that_we_do_not_know_is_left_out(schema: Any) -> None:
    ours = {path: sorted(methods) for path, methods in schema["paths"].items() if "OAuth" in str(methods)}

    posted = [*ENDPOINTS, LEAKED, ALERTS, "/changed"]
    assert ours == {path: ["post"] for path in posted} | {METADATA: ["get"], FEED: ["get", "post"]}
    assert "/undescribed" not in schema["paths"]


def test_an_endpoint_that_was_subclassed_is_described_like_the_original(schema: Any) -> None:
    changed, original = (dict(schema["paths"][path]["post"]) for path in ("/changed", "/oauth/introspect/"))

    assert changed.pop("operationId") != original.pop("operationId")
    assert changed == original


EXCHANGE = {
    *("subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "audience"),
}


@pytest.mark.parametrize(
    ("path", "required", "optional"),
    [
        ("/oauth/introspect/", "token", {"token_type_hint"}),
        ("/oauth/token/", "grant_type", {"scope", "resource", "refresh_token", "authorization_details", *EXCHANGE}),
        ("/oauth/revoke/", "token", {"token_type_hint"}),
    ],
)
def test_a_request_is_a_form_with_its_parameters(schema: Any, path: str, required: str, optional: set[str]) -> None:
    body = schema["paths"][path]["post"]["requestBody"]["content"]

    assert list(body) == [FORM]
    assert body[FORM]["schema"]["required"] == [required]
    assert body[FORM]["schema"]["properties"].keys() == {required, *CREDENTIALS} | optional


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_request_needs_its_body_and_a_value_for_what_is_required(schema: Any, path: str) -> None:
    body = schema["paths"][path]["post"]["requestBody"]
    form = body["content"][FORM]["schema"]

    assert body["required"] is True
    assert form["properties"][form["required"][0]]["minLength"] == 1


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_further_parameter_may_come_once(schema: Any, path: str) -> None:
    form = schema["paths"][path]["post"]["requestBody"]["content"][FORM]["schema"]

    assert form["additionalProperties"]["type"] == "string"


def test_the_grants_are_those_of_the_token_endpoint(schema: Any) -> None:
    form = schema["paths"]["/oauth/token/"]["post"]["requestBody"]["content"][FORM]["schema"]

    assert form["properties"]["grant_type"]["enum"] == list(GrantType)


@pytest.mark.parametrize(
    ("path", "security"),
    [
        ("/oauth/introspect/", [BASIC, {}, {"introspectionToken": ["introspection"]}]),
        ("/oauth/token/", [BASIC, {}]),
        ("/oauth/revoke/", [BASIC, {}]),
    ],
)
def test_an_endpoint_says_how_to_authenticate(schema: Any, path: str, security: Any) -> None:
    assert schema["paths"][path]["post"]["security"] == security
    schemes = {name: scheme.get("scheme") for name, scheme in schema["components"]["securitySchemes"].items()}
    bearer = ("accessToken", "accessTokenUsingPartner", "introspectionToken")
    others = {"accessTokenByProof": "dpop", "accessTokenByWord": None}
    assert schemes == {"clientSecretBasic": "basic", **dict.fromkeys(bearer, "bearer"), **others}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_answer_is_there_with_its_headers(schema: Any, path: str) -> None:
    responses = schema["paths"][path]["post"]["responses"]
    headers = {status: set(response["headers"]) - {"Cache-Control"} for status, response in responses.items()}

    assert headers.pop("403", set()) == set()
    assert headers == {
        **dict.fromkeys(("200", "400", "413", "415"), set()),
        "401": {"WWW-Authenticate"},
        "429": {"Retry-After"},
        "503": {"Retry-After"},
    }
    for status, response in responses.items():
        assert response["headers"]["Cache-Control"]["schema"]["enum"] == ["no-store"]
        if status != "200":
            reference = response["content"]["application/json"]["schema"]["$ref"]
            assert reference == "#/components/schemas/OAuthErrorResponse"


def test_an_introspection_says_active_and_perhaps_more(schema: Any) -> None:
    answer = schema["paths"]["/oauth/introspect/"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]

    assert answer["required"] == ["active"]
    assert {"active", "scope", "sub", "exp", "aud", "cnf"} <= answer["properties"].keys()
    assert "403" in schema["paths"]["/oauth/introspect/"]["post"]["responses"]


def test_an_introspection_may_be_signed(schema: Any) -> None:
    content = schema["paths"]["/oauth/introspect/"]["post"]["responses"]["200"]["content"]

    assert content["application/token-introspection+jwt"]["schema"] == {"type": "string"}


def test_the_metadata_needs_no_authentication(schema: Any) -> None:
    operation = schema["paths"][METADATA]["get"]

    assert "security" not in operation
    assert operation["responses"].keys() == {"200", "404"}
    assert "issuer" in operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"]


def test_everyone_may_report_a_leak_and_no_credentials_are_asked_for(schema: Any) -> None:
    operation = schema["paths"][LEAKED]["post"]
    form = operation["requestBody"]["content"][FORM]["schema"]

    assert "security" not in operation
    assert form["properties"].keys() == {"token"}
    assert (form["required"], form["properties"]["token"]["type"]) == (["token"], "array")
    assert operation["responses"].keys() == {"200", "400", "413", "415", "429", "503"}


def test_an_alert_is_signed_json_and_its_answer_has_labels(schema: Any) -> None:
    operation = schema["paths"][ALERTS]["post"]
    sent = {each["name"]: each["required"] for each in operation["parameters"]}
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["items"]

    assert "security" not in operation
    assert sent == {"Github-Public-Key-Identifier": True, "Github-Public-Key-Signature": True}
    assert list(operation["requestBody"]["content"]) == ["application/json"]
    assert answer["properties"]["label"]["enum"] == ["true_positive", "false_positive"]
    assert {"403", "404"} <= operation["responses"].keys()


def test_the_feed_takes_credentials_in_the_form_and_never_in_the_query(schema: Any) -> None:
    got, posted = (schema["paths"][FEED][method] for method in ("get", "post"))
    form = posted["requestBody"]["content"][FORM]["schema"]

    assert {each["name"]: each["in"] for each in got["parameters"]} == {"after": "query", "wait": "query"}
    assert form["properties"].keys() == {"after", "wait", *CREDENTIALS}
    assert got["security"] == [BASIC, {"introspectionToken": ["introspection"]}]
    assert posted["security"] == [BASIC, {}, {"introspectionToken": ["introspection"]}]
    for operation in (got, posted):
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert {"cursor", "restart", "more", "now", "changes"} <= set(answer["required"])


ALTERNATIVES: dict[str, list[list[str]]] = {
    "none": [[]],
    "authenticated": [[]],
    "list": [["orders:read", "orders:write"]],
    "by-method": [["orders:read"]],
    "by-action": [["orders:list"]],
    "class": [["a", "b"]],
    "both": [["orders:read", "orders:write"]],
    "and": [["orders:read", "orders:write"]],
    "or": [["orders:read"], ["orders:write"]],
    "or-other": [["orders:read"], []],
    "claim": [[]],
    "claim-and-scope": [["orders:read"]],
    "claim-or-scope": [[], ["orders:read"]],
    "nested": [["orders:audit", "orders:read"], ["orders:audit", "orders:write"]],
}


@pytest.mark.parametrize(("name", "scopes"), ALTERNATIVES.items(), ids=ALTERNATIVES)
@pytest.mark.parametrize("project", ["schema", "resource_server_schema"])
def test_a_protected_operation_names_the_scopes_that_open_it(
    request: Any, project: str, name: str, scopes: list[list[str]]
) -> None:
    operation = request.getfixturevalue(project)["paths"][f"/{name}"]["get"]

    assert operation["security"] == [{"accessToken": alternative} for alternative in scopes]


def test_the_scopes_are_those_of_the_method(schema: Any) -> None:
    assert schema["paths"]["/by-method"]["post"]["security"] == [{"accessToken": []}]
    assert schema["paths"]["/by-action"]["post"]["security"] == [{"accessToken": ["orders:write"]}]
    assert schema["paths"]["/list"]["post"]["security"] == [{"accessToken": ["orders:read", "orders:write"]}]


@pytest.mark.parametrize("project", ["schema", "resource_server_schema"])
def test_each_source_of_tokens_is_a_scheme(request: Any, project: str) -> None:
    operation = request.getfixturevalue(project)["paths"]["/partner"]["get"]

    assert operation["security"] == [{"accessTokenUsingPartner": ["orders:read"]}]


def test_a_scheme_is_that_of_the_authenticator(schema: Any) -> None:
    schemes = schema["components"]["securitySchemes"]
    proof, word = schemes["accessTokenByProof"], schemes["accessTokenByWord"]

    assert (proof["type"], proof["scheme"]) == ("http", "dpop")
    assert (word["type"], word["in"], word["name"]) == ("apiKey", "header", "Authorization")
    assert "Api-Key" in word["description"]
    assert "Token" in word["description"]


def test_an_open_operation_takes_a_token_and_needs_none(schema: Any) -> None:
    assert schema["paths"]["/open"]["get"]["security"] == [{"accessToken": []}, {}]


def test_a_resource_server_without_tables_describes_its_views_alone(resource_server_schema: Any) -> None:
    assert resource_server_schema["paths"].keys() == {
        *("/open", "/partner", "/by-proof", "/by-word"),
        *(f"/{name}" for name in ALTERNATIVES),
    }
    schemes = resource_server_schema["components"]["securitySchemes"]
    assert schemes.keys() == {
        *("accessToken", "accessTokenUsingPartner", "accessTokenByProof", "accessTokenByWord"),
    }


def test_the_endpoints_are_the_same_where_drf_spectacular_cannot_be_imported() -> None:
    hidden = json.loads(run_module("tests.projects.openapi.hidden", "tests.settings"))
    described = json.loads(run_module("tests.projects.probe_endpoints", "tests.projects.openapi.described"))

    assert hidden == described
    assert '"active":true' in hidden[0][4]
