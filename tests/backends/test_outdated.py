"""Keys of outdated answers: what is deleted, what is tried again, and what is noted meanwhile."""

from __future__ import annotations

from django_introspection.backends.outdated import Outdated


def test_an_answer_of_the_noted_moment_or_before_is_outdated() -> None:
    outdated = Outdated()
    outdated.note("a", 10)
    outdated.note("a", 9)

    assert [outdated.includes("a", moment) for moment in (9, 10, 11)] == [True, True, False]
    assert not outdated.includes("b", 9)
    assert outdated.latest == 10


def test_what_was_deleted_is_forgotten() -> None:
    outdated = Outdated()
    outdated.note("a", 10)

    outdated.end_deletion(outdated.begin_deletion(), succeeded=True)

    assert not outdated.includes("a", 10)
    assert outdated.latest < 0
    assert not outdated.is_late


def test_a_deletion_that_failed_is_tried_again() -> None:
    outdated = Outdated()
    outdated.note("a", 10)

    outdated.end_deletion(outdated.begin_deletion(), succeeded=False)

    assert outdated.includes("a", 10)
    assert outdated.is_late
    assert outdated.begin_deletion() == {"a": 10}
    assert not outdated.is_late


def test_what_is_noted_during_a_deletion_stays() -> None:
    outdated = Outdated()
    outdated.note("a", 10)
    keys = outdated.begin_deletion()
    outdated.note("a", 20)
    outdated.note("b", 20)

    outdated.end_deletion(keys, succeeded=True)

    assert outdated.includes("a", 20)
    assert outdated.includes("b", 20)


def test_what_is_not_deleted_yet_is_not_forgotten_with_the_rest() -> None:
    outdated = Outdated()
    outdated.note("a", 1)
    keys = outdated.begin_deletion()
    outdated.note("b", 2)

    outdated.end_deletion(keys, succeeded=True)

    assert outdated.latest >= 2, "or nobody would ask"
    assert (outdated.includes("a", 1), outdated.includes("b", 2)) == (False, True)
