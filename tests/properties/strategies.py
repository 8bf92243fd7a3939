"""What to draw: text that can be sent, and bodies that somebody might send."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

UNICODE = st.text()
"""Text without half characters, which nobody can encode."""
PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
CLIENT_IDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=100)
SCOPE_TOKENS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1, max_size=12
)
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
"""Any text that Python can hold, half characters included."""


def form_bodies() -> st.SearchStrategy[bytes]:
    """Draw bytes, most of them nearly a form."""
    pieces = st.sampled_from([b"token", b"resource", b"=", b"&", b"%", b"%C3", b"%zz", b"+", b";", b"\xff", b"a"])
    return st.binary() | st.lists(pieces, max_size=12).map(b"".join)


def json_values() -> st.SearchStrategy[Any]:
    """Draw anything that JSON, or Python's idea of it, can say."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(min_value=10**300, max_value=10**400)
        | st.floats()
        | ANY_TEXT
    )
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=8
    )


def plain_values() -> st.SearchStrategy[Any]:
    """Draw what a checked response can hold: no half characters, nothing infinite."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | UNICODE
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(UNICODE, inner, max_size=4), max_leaves=8
    )


@st.composite
def mutations(draw: st.DrawFn, text: str, alphabet: str = "AZaz09-_.=+/:;,\"'{}[]%\\ \t\n\0\u00e9") -> str:
    """Draw a text with some of its characters replaced, removed, repeated or added."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        new = draw(st.just("") | st.text(alphabet, max_size=3) | st.just(text[start:end] * 2))
        text = text[:start] + new + text[end:]
    return text
