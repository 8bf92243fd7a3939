from __future__ import annotations

from typing import Any

from tests import endpoints, factories


def test_an_access_token_for_the_resource_of_the_caller_is_active(resource_server: Any, user: Any) -> None:
    issued = factories.TokenFactory(user=user)

    response = endpoints.introspect(issued.access_token, auth=resource_server)

    assert response.status_code == 200
    assert response.json()["active"] is True
