"""Call every operation of the OpenAPI document with schemathesis, with valid and invalid data.

`python -m tests.fuzzing.openapi [examples]`. Every answer must be one that the document describes, with
credentials and without.
"""

from __future__ import annotations

import sys
from typing import Any

import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from . import world

WITHOUT_CREDENTIALS = ("/oauth/introspect/", "/oauth/revoke/")
"""Operations that accept all valid data. A token request depends on the client, and a view on the token."""
QUICK = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def main(examples: int) -> None:
    world.begin()
    known = world.known()
    headers = [{}, {"Authorization": world.basic("machine")}, {"Authorization": f"Bearer {known.access}"}]
    schema = schemathesis.openapi.from_wsgi("/schema", get_wsgi_application())
    for found in schema.get_all_operations():
        operation = found.ok()
        has_body = operation.body.items != []
        for mode in schemathesis.GenerationMode if has_body else [schemathesis.GenerationMode.POSITIVE]:
            cases = operation.as_strategy(generation_mode=mode)
            print(operation.label, mode.value, call(cases, headers, examples))


def call(cases: st.SearchStrategy[Any], headers: list[dict[str, str]], examples: int) -> int:
    """Make the calls of one operation, and return their number."""
    count = 0

    @settings(QUICK, max_examples=examples)
    @given(case=cases, sent=st.sampled_from(headers))
    def run(case: Any, sent: dict[str, str]) -> None:
        nonlocal count
        count += 1
        excluded = [] if accepts_all(case, sent) else [positive_data_acceptance]
        case.call_and_validate(headers=sent, excluded_checks=excluded)

    run()
    return count


def accepts_all(case: Any, sent: dict[str, str]) -> bool:
    """Return whether valid data cannot be refused: not twice authenticated, which OpenAPI cannot forbid."""
    body = case.body if isinstance(case.body, dict) else {}
    in_body = [name for name in body if name.startswith("client_")]
    return case.operation.path in WITHOUT_CREDENTIALS and not (sent and in_body)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50)
