"""Writing the ends of tokens into the outbox, in the transactions that end them."""

from __future__ import annotations

from ... import revocations
from ..outbox import Outbox

_outbox = Outbox()


def connect() -> None:
    """Begin to write; a second call changes nothing."""
    if _outbox not in revocations.recorders:
        revocations.recorders.append(_outbox)


def disconnect() -> None:
    """Stop to write: for tests."""
    revocations.recorders.remove(_outbox)
