from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from django_introspection.models import Client
from tests import endpoints, factories
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db(transaction=True)


def log_in(driver: Any, url: str) -> None:
    factories.User.objects.create_superuser("operator", password="a password")
    driver.get(f"{url}/admin/")
    driver.find_element(By.NAME, "username").send_keys("operator")
    driver.find_element(By.NAME, "password").send_keys("a password")
    driver.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    driver.find_element(By.ID, "content-main")


def shown_secret(driver: Any) -> str:
    secret: str = driver.find_element(By.ID, "client-secret").text
    return secret


def test_an_operator_registers_a_client_and_gives_it_a_second_secret(
    driver: Any, live_server: Any, picture: Callable[[str], None]
) -> None:
    log_in(driver, live_server.url)
    driver.get(f"{live_server.url}/admin/introspection/client/add/")
    driver.find_element(By.NAME, "client_name").send_keys("Orders API")
    driver.find_element(By.NAME, "resources").send_keys(AUDIENCE)
    picture("client-add")
    driver.find_element(By.NAME, "_save").click()
    first = shown_secret(driver)
    picture("client-secret")

    client = Client.objects.get(client_name="Orders API")
    driver.get(f"{live_server.url}/admin/introspection/client/{client.pk}/change/")
    assert first not in driver.page_source
    picture("client-change")
    driver.find_element(By.XPATH, "//button[normalize-space()='Add a secret']").click()
    second = shown_secret(driver)

    assert first != second
    for secret in (first, second):
        assert endpoints.introspect("unknown", auth=(client, secret)).status_code == 200


def test_an_operator_revokes_a_token(driver: Any, live_server: Any, picture: Callable[[str], None]) -> None:
    issued = factories.TokenFactory(user=factories.UserFactory(), refresh=True)
    log_in(driver, live_server.url)
    driver.get(f"{live_server.url}/admin/introspection/token/")
    picture("token-list")
    driver.find_element(By.CSS_SELECTOR, f"input[name=_selected_action][value='{issued.token.pk}']").click()
    driver.find_element(By.XPATH, "//option[normalize-space()='Revoke the selected tokens']").click()
    driver.find_element(By.CSS_SELECTOR, ".actions button").click()
    driver.find_element(By.CSS_SELECTOR, ".messagelist .success")
    driver.get(f"{live_server.url}/admin/introspection/token/{issued.token.pk}/change/")
    picture("token")

    issued.token.refresh_from_db()
    assert issued.token.revoked_at is not None
    assert issued.access_token not in driver.page_source
