"""Requests of one person at the same time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

from django.core.exceptions import ValidationError
from django.db import OperationalError, connections

from django_introspection.models import Token
from django_introspection.personal_tokens import issuing
from django_introspection.personal_tokens.models import PersonalToken
from tests.personal_tokens.conftest import make

ATTEMPTS = 6


def at_once(work: Callable[[], Any]) -> list[str]:
    """Do some work in several threads, and return the result of each: "done" or the name of its error."""
    barrier, results = Barrier(ATTEMPTS), []

    def attempt() -> None:
        barrier.wait()
        try:
            work()
            results.append("done")
        except (ValidationError, OperationalError) as error:
            results.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [Thread(target=attempt) for _ in range(ATTEMPTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_nobody_gets_more_tokens_than_are_allowed(database_url: str, user: Any) -> None:
    for _ in range(3):
        make(user)

    results = at_once(lambda: make(user))

    assert results.count("done") == 2
    assert PersonalToken.objects.live(user).count() == Token.objects.count() == 5


def test_a_token_is_rotated_once(database_url: str, user: Any) -> None:
    issued = make(user)

    results = at_once(lambda: issuing.rotate(PersonalToken.objects.of(user).get(pk=issued.row.pk)))

    assert results.count("done") == 1
    assert PersonalToken.objects.live(user).count() == 1
    assert Token.objects.count() == PersonalToken.objects.count() == 2
