"""A person who clicks again because nothing seems to happen."""

from __future__ import annotations

from typing import Any


def click_twice(page: Any, button: str) -> None:
    """Click a button of a form again while the answer to the first click is on its way; one request may be sent."""
    found = page.get_by_role("button", name=button, exact=True)
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    held: list[Any] = []
    page.route("**/*", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    with page.expect_request(lambda request: request.method == "POST"):
        page.mouse.click(*middle)
    page.mouse.click(*middle)
    with page.expect_navigation():
        held[0].continue_()
    page.unroute("**/*")
    assert len(held) == 1
