"""Authorization details, from the token request to the view (RFC 9396)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from django_introspection.conf import introspection_settings
from django_introspection.decorators import token_required
from django_introspection.exceptions import IntrospectionUnavailable, InvalidSetting
from django_introspection.models import Client, Token
from django_introspection.permissions import (
    requires_authorization_details,
    requires_claim,
    requires_scope,
    requires_step_up,
)
from django_introspection.protocol.authorization_details import MAX_SIZE, MEMBER
from django_introspection.protocol.jwt import decode_base64url
from django_introspection.protocol.strict_json import parse_json_object
from django_introspection.testing import assert_challenge, fake_tokens, token
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_refused
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

INVOICES = "https://api.example.com/invoices"
PAYMENT = {"type": "payment_initiation", "actions": ["initiate", "status"]}
ACCOUNT = {"type": "account_information", "identifier": "1", "limit": 5}
ERROR = "invalid_authorization_details"


def check_account(detail: dict[str, Any]) -> None:
    """The function of a project that knows the fields of its type."""
    if detail.get("explode"):
        raise ZeroDivisionError("secret")
    if detail.keys() != ACCOUNT.keys() or not isinstance(detail["limit"], int):
        raise ValueError(f"secret {detail}")
    detail["limit"] = 1_000_000  # of a copy


@pytest.fixture(autouse=True)
def types(settings: Any) -> Any:
    known = {"payment_initiation": None, "account_information": f"{__name__}.check_account"}

    def configure(**changes: Any) -> None:
        settings.TOKEN_INTROSPECTION = {
            **TOKEN_INTROSPECTION,
            "AUTHORIZATION_DETAILS_TYPES": known,
            **changes,
        }

    configure()
    return configure


def client_for(*types: str, **metadata: Any) -> Any:
    return factories.RegistrationFactory(
        authorization_details_types=list(types),
        **{
            "grant_types": ["client_credentials", "refresh_token"],
            "allowed_resources": [AUDIENCE, INVOICES],
            **metadata,
        },
    )


def request(client: Any, details: Any, **form: Any) -> Any:
    text = details if isinstance(details, str) else json.dumps(details)
    form = {"grant_type": "client_credentials", "resource": AUDIENCE, MEMBER: text, **form}
    return endpoints.post("/oauth/token", form, auth=client)


def details_in(answer: Any) -> Any:
    return answer.json().get(MEMBER)


# Requests


@pytest.mark.requirement("9396-7-a", "9396-9.2-a")
@pytest.mark.parametrize("details", [[PAYMENT], [PAYMENT, ACCOUNT], [{**PAYMENT, "locations": [AUDIENCE]}]])
def test_granted_details_are_in_the_response_and_in_answers(details: Any) -> None:
    client = client_for("payment_initiation", "account_information")
    response = request(client, details)

    assert response.status_code == 200
    assert details_in(response) == details
    for caller in (client, factories.ResourceServerFactory()):
        assert details_in(endpoints.introspect(response.json()["access_token"], auth=caller)) == details


@pytest.mark.parametrize("detail", [{"identifier": "\u00e9" * 3000}, {"actions": [f"a{each}" for each in range(1800)]}])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_details_count_with_the_bytes_of_their_characters(detail: Any, ensure_ascii: bool) -> None:
    details = [{"type": "payment_initiation", **detail}]
    text = json.dumps(details, ensure_ascii=ensure_ascii, separators=(",", ":"))
    response = request(client_for("payment_initiation"), text)

    if len(text.encode()) > MAX_SIZE:
        assert_refused(response, 400, ERROR)
    else:
        assert details_in(response) == details


def any_numbers(detail: dict[str, Any]) -> None:
    """The function of a type that has further fields."""


def test_details_that_grow_beyond_the_bound_when_they_are_stored_are_refused(types: Any) -> None:
    types(AUTHORIZATION_DETAILS_TYPES={"numbers": f"{__name__}.any_numbers"})
    text = '[{"type": "numbers", "of": [' + ",".join(["1e9"] * 3000) + "]}]"

    assert len(text) < MAX_SIZE
    assert_refused(request(client_for("numbers"), text), 400, ERROR)


def test_a_jwt_that_would_be_too_large_is_refused(types: Any) -> None:
    types(SIGNING_KEYS=[{"KEY": jose.private("ES256", "server")}])
    client = client_for("payment_initiation", access_token_format="jwt")
    details = [{"type": "payment_initiation", "identifier": "x" * 13_000}]

    assert_refused(request(client, details), 400, "invalid_request")
    assert not Token.objects.exists()
    assert request(client, [PAYMENT]).status_code == 200


@pytest.mark.requirement("9396-2-a", "9396-5-a", "9396-12-a")
@pytest.mark.parametrize(
    "details",
    [
        "payment",
        "{}",
        "[]",
        '[{"actions": ["initiate"]}]',
        [{"type": "unknown"}],
        [PAYMENT, {"type": "unknown"}],
        [{**PAYMENT, "amount": 5}],
        [{**PAYMENT, "actions": "initiate"}],
        [{"type": "account_information"}],
        [{**ACCOUNT, "limit": "5"}],
        [{**PAYMENT, "locations": [INVOICES]}],
        "[" * 100_000,
        json.dumps([{**PAYMENT, "identifier": "x" * 100_000}]),
    ],
)
def test_details_that_do_not_conform_to_their_type_are_refused(details: Any) -> None:
    response = request(client_for("payment_initiation", "account_information"), details)

    assert_refused(response, 400, ERROR, "secret")
    assert not Token.objects.exists()


@pytest.mark.requirement("9396-6-a")
def test_a_client_may_request_the_types_that_it_is_registered_for_alone() -> None:
    assert_refused(request(client_for("account_information"), [PAYMENT]), 400, ERROR)
    assert_refused(request(client_for(), [PAYMENT]), 400, ERROR)
    assert request(client_for("payment_initiation"), [PAYMENT]).status_code == 200


def test_without_the_setting_no_details_are_granted(types: Any) -> None:
    client = client_for("payment_initiation")
    types(AUTHORIZATION_DETAILS_TYPES={})

    assert_refused(request(client, [PAYMENT]), 400, ERROR)
    plain = endpoints.post("/oauth/token", {"grant_type": "client_credentials", "resource": AUDIENCE}, auth=client)
    assert plain.status_code == 200
    assert MEMBER not in plain.json()


def test_a_repeated_parameter_is_refused() -> None:
    response = request(client_for("payment_initiation"), [json.dumps([PAYMENT])] * 2, **{MEMBER: ["[]", "[]"]})

    assert_refused(response, 400, "invalid_request")


def test_a_function_that_fails_refuses_nobody_and_grants_nothing(caplog: pytest.LogCaptureFixture) -> None:
    response = request(client_for("account_information"), [{**ACCOUNT, "explode": True}])

    assert_refused(response, 503, "temporarily_unavailable", "secret")
    assert "['AUTHORIZATION_DETAILS_TYPES']['account_information'] raised ZeroDivisionError" in caplog.text
    assert not Token.objects.exists()


# Tokens that the project issues, and their refresh


def issued(client: Any, *details: Any, **grant: Any) -> Any:
    return factories.TokenFactory(
        **{"client": client[0], "audience": [AUDIENCE, INVOICES], "refresh": True, **grant},
        authorization_details=details,
    )


@pytest.mark.requirement("9396-9.1-a")
def test_details_are_a_claim_of_a_jwt_for_its_audience(types: Any) -> None:
    types(SIGNING_KEYS=[{"KEY": jose.pem("ES256")}])
    client = client_for("payment_initiation", access_token_format="jwt")
    both = issued(client, {**PAYMENT, "locations": [INVOICES]}, {**PAYMENT, "actions": ["status"]})
    form = {"grant_type": "refresh_token", "refresh_token": both.refresh_token, "resource": AUDIENCE}
    narrowed = endpoints.post("/oauth/token", form, auth=client).json()

    assert [len(claims_of(each)[MEMBER]) for each in (both.access_token, narrowed["access_token"])] == [2, 1]
    assert claims_of(narrowed["access_token"])[MEMBER] == narrowed[MEMBER] == [{**PAYMENT, "actions": ["status"]}]


def claims_of(jwt: str) -> dict[str, Any]:
    return parse_json_object(decode_base64url(jwt.split(".")[1]))


@pytest.mark.parametrize(
    "details",
    [
        [{"type": "unknown"}],
        [{"actions": ["initiate"]}],
        [{**PAYMENT, "amount": 1}],
        [{**ACCOUNT, "limit": None}],
        [{**PAYMENT, "locations": ["https://elsewhere.example"]}],
        ["payment_initiation"],
        [{**PAYMENT, "identifier": object()}],
    ],
)
def test_the_project_issues_no_details_that_do_not_conform(details: Any) -> None:
    with pytest.raises(ValidationError, match="The authorization details must"):
        issued(client_for(), *details)
    assert not Token.objects.exists()


def test_the_project_cannot_give_them_as_an_unchecked_member() -> None:
    with pytest.raises(ValidationError, match="Computed here, not given: authorization_details"):
        factories.TokenFactory(members={MEMBER: [PAYMENT]})
    with pytest.raises(IntrospectionUnavailable):
        issued(client_for(), {**ACCOUNT, "explode": True})


@pytest.mark.requirement("9396-6-a", "9396-7-a")
def test_a_refresh_gives_the_grant_or_a_part_of_it_and_never_more() -> None:
    client = client_for("payment_initiation", "account_information")
    values = issued(client, PAYMENT, ACCOUNT)

    def refresh(details: Any = None, **form: Any) -> Any:
        form |= {"grant_type": "refresh_token", "refresh_token": values.refresh_token}
        return endpoints.post("/oauth/token", form | ({} if details is None else {MEMBER: details}), auth=client)

    for more in (
        [{**PAYMENT, "actions": ["cancel"]}],
        [{"type": "payment_initiation"}],
        [{**ACCOUNT, "limit": 6}],
        [PAYMENT, {**ACCOUNT, "identifier": "2"}],
        "[]",
    ):
        assert_refused(refresh(more if isinstance(more, str) else json.dumps(more)), 400, ERROR)
    part = [{**PAYMENT, "actions": ["status"]}]
    narrowed = refresh(json.dumps(part)).json()
    assert narrowed[MEMBER] == part
    assert details_in(endpoints.introspect(narrowed["access_token"], auth=client)) == part
    whole = endpoints.post(
        "/oauth/token", {"grant_type": "refresh_token", "refresh_token": narrowed["refresh_token"]}, auth=client
    )
    assert details_in(whole) == [PAYMENT, ACCOUNT]


def test_a_refresh_gives_no_types_that_its_client_may_no_longer_use() -> None:
    client = client_for("payment_initiation", "account_information")
    values = issued(client, PAYMENT, ACCOUNT)
    form = {"grant_type": "refresh_token", "refresh_token": values.refresh_token}

    Client.objects.update(authorization_details_types=["account_information"])
    response = endpoints.post("/oauth/token", form, auth=client)
    assert details_in(response) == [ACCOUNT]
    Client.objects.update(authorization_details_types=[])
    again = endpoints.post("/oauth/token", form | {"refresh_token": response.json()["refresh_token"]}, auth=client)
    assert_refused(again, 400, ERROR)


# Answers


@pytest.mark.requirement("9396-9.2-a")
def test_each_resource_server_gets_the_details_for_its_resources() -> None:
    client = client_for("payment_initiation")
    everywhere, orders, invoices = (
        {**PAYMENT, "actions": ["status"]},
        {**PAYMENT, "locations": [f"{AUDIENCE}/eu"]},
        {**PAYMENT, "locations": [INVOICES]},
    )
    value = issued(client, everywhere, orders, invoices).access_token
    both = issued(client, orders).access_token

    def seen_by(token: str, **metadata: Any) -> Any:
        return details_in(endpoints.introspect(token, auth=factories.ResourceServerFactory(**metadata)))

    assert seen_by(value, resources=[AUDIENCE]) == [everywhere, orders]
    assert seen_by(value, resources=[INVOICES]) == [everywhere, invoices]
    assert seen_by(value, resources=[AUDIENCE, INVOICES]) == [everywhere, orders, invoices]
    assert seen_by(value, resources=[], introspection_policy="any") == [everywhere, orders, invoices]
    assert seen_by(value, visible_members=["sub"]) is None
    assert seen_by(both, resources=[INVOICES]) is None
    assert details_in(endpoints.introspect(value, auth=client)) == [everywhere, orders, invoices]


def add_details(info: Any, user: Any, caller: Any) -> dict[str, Any]:
    return {MEMBER: [PAYMENT], "tenant": "a"}


def test_the_hook_for_members_does_not_grant_details(types: Any) -> None:
    types(MEMBERS=f"{__name__}.add_details")
    value = factories.TokenFactory().access_token

    answer = endpoints.introspect(value, auth=factories.ResourceServerFactory()).json()
    assert (answer["tenant"], MEMBER in answer) == ("a", False)


# Metadata and settings


@pytest.mark.requirement("9396-10-a")
def test_the_metadata_names_the_types_of_the_server_and_those_of_a_resource(types: Any) -> None:
    path = "/.well-known/oauth-authorization-server"
    assert Browser().get(path).json()["authorization_details_types_supported"] == [
        "account_information",
        "payment_initiation",
    ]
    own = {"authorization_details_types_supported": ["payment_initiation"]}
    types(AUTHORIZATION_DETAILS_TYPES={}, RESOURCES={AUDIENCE: {"METADATA": own}})
    assert "authorization_details_types_supported" not in Browser().get(path).json()
    document = Browser().get("/.well-known/oauth-protected-resource/orders").json()
    assert document.items() >= own.items()


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (["payment"], ""),
        ({1: None}, ""),
        ({"": None}, ""),
        ({"a": "no.such.function"}, r"\['a'\]"),
        ({"a": "os.sep"}, r"\['a'\]"),
        ({"a": {}}, r"\['a'\]"),
    ],
)
def test_an_invalid_setting_is_an_error_that_names_its_place(types: Any, value: Any, place: str) -> None:
    types(AUTHORIZATION_DETAILS_TYPES=value)

    with pytest.raises(InvalidSetting, match=rf"\['AUTHORIZATION_DETAILS_TYPES'\]{place} must"):
        introspection_settings.AUTHORIZATION_DETAILS_TYPES  # noqa: B018 - reading it is the check


@pytest.mark.parametrize("value", [["unknown"], "payment_initiation", [1], {"payment_initiation": 1}])
def test_a_client_is_registered_for_known_types_alone(value: Any) -> None:
    with pytest.raises(ValidationError):
        factories.RegistrationFactory(authorization_details_types=value)


# Views


Initiate = requires_authorization_details("payment_initiation", actions=["initiate"])
Read = requires_scope("orders:read")


@pytest.fixture
def tokens() -> Any:
    with fake_tokens():
        yield


def with_details(*details: Any, **claims: Any) -> str:
    return token(**{MEMBER: list(details)}, **claims)


@pytest.mark.requirement("9396-9-P")
def test_details_that_do_not_cover_the_request_are_403_that_names_the_type(
    tokens: Any, caplog: pytest.LogCaptureFixture
) -> None:
    view = protect(permission_classes=[Initiate])

    assert ask(view, with_details({"type": "other"}, PAYMENT)).status_code == 200
    with caplog.at_level("INFO", "django_introspection"):
        refused = ask(view, with_details({**PAYMENT, "actions": ["status"]}))
    text = "The access token needs authorization details of the type payment_initiation."
    assert_challenge(refused, "insufficient_scope", error_description=text)
    assert "scope" not in assert_challenge(refused, "insufficient_scope").parameters
    assert refused.data == {"detail": text}
    assert_challenge(ask(view, token(**{MEMBER: "payment_initiation"})), "insufficient_scope")
    assert_challenge(ask(view, token()), "insufficient_scope")
    assert_challenge(ask(view), None)
    assert "expected type 'payment_initiation', actions 'initiate'; found types 'payment_initiation'" in caplog.text


@pytest.mark.parametrize(
    ("permission", "status", "error", "scope"),
    [
        (Initiate & Read, 403, "insufficient_scope", "orders:read"),
        (Initiate | Read, 403, "insufficient_scope", "orders:read"),
        (Initiate & requires_step_up(max_age=5), 401, "insufficient_user_authentication", None),
        (Initiate & requires_claim("roles", "admin"), 403, None, None),
        (Initiate | requires_step_up(max_age=5), 403, "insufficient_scope", None),
    ],
)
def test_details_compose(tokens: Any, permission: Any, status: int, error: str | None, scope: str | None) -> None:
    challenge = assert_challenge(ask(protect(permission_classes=[permission]), token()), error, status=status)

    assert challenge.parameters.get("scope") == scope


def test_a_plain_view_requires_details(tokens: Any, rf: Any) -> None:
    @token_required(scope="orders:read", claim=requires_authorization_details("payment_initiation", identifier="1"))
    def view(request: Any) -> Any:
        return None

    def get(value: str) -> Any:
        return view(rf.get("/", headers={"Authorization": f"Bearer {value}"}))

    assert get(with_details({**PAYMENT, "identifier": "1"}, scope="orders:read")) is None
    assert_challenge(get(with_details(PAYMENT, scope="orders:read")), "insufficient_scope")
    assert_challenge(get(with_details(PAYMENT)), "insufficient_scope", scope="orders:read")


def test_arguments_are_checked_when_the_view_is_written() -> None:
    assert requires_authorization_details("a", actions=["b"]) is requires_authorization_details("a", actions=("b",))
    with pytest.raises(TypeError, match="actions must be a list of strings"):
        requires_authorization_details("a", actions="b")
