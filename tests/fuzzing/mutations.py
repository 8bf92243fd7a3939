"""Changes that know how inputs are built: JSON, base64url between dots, percent-encoding, and the words of a family."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from .inputs import SEPARATOR

Words = Sequence[bytes]
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**53, 10**30, "", "a", " ", "\0", "\ud800", [], [[]], {}, {"a": 1}),
    *("none", "Bearer", "RS256", "HS256", "https://api.example.com/orders", "\u00e9", "A" * 300),
)


NAMES = ("extra", "exp", "active", "aud", "cnf", "alg", "scope")


def _names(words: Words) -> list[str]:
    """Return the words that are names of JSON members."""
    return [word.decode().strip('":') for word in words if word.startswith(b'"') and word.endswith(b'":')]


def mutate(data: bytes, random: Random, words: Words) -> bytes:
    """Return an input with one part changed."""
    parts = data.split(SEPARATOR)
    chosen = random.randrange(len(parts))
    parts[chosen] = random.choice(CHANGES)(parts[chosen], random, words)
    return SEPARATOR.join(parts)


def _slice(part: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(part))
    return start, min(len(part), start + random.choice((0, 1, 1, 2, 4, 8, 40)))


def _insert(part: bytes, random: Random, words: Words) -> bytes:
    start, end = _slice(part, random)
    word = random.choice(words) if words else random.randbytes(2)
    return part[:start] + word + part[end:]


def _replace(part: bytes, random: Random, words: Words) -> bytes:
    start, end = _slice(part, random)
    return part[:start] + random.randbytes(end - start) + part[end:]


def _delete(part: bytes, random: Random, words: Words) -> bytes:
    start, end = _slice(part, random)
    return part[:start] + part[end:]


def _repeat(part: bytes, random: Random, words: Words) -> bytes:
    start, end = _slice(part, random)
    return part[:end] + part[start:end] * random.choice((1, 1, 2, 60)) + part[end:]


def _repeat_pair(part: bytes, random: Random, words: Words) -> bytes:
    """Send a parameter of a form, or an element of a header, twice."""
    divider = b"&" if b"&" in part or b"=" in part else b","
    pairs = part.split(divider)
    again = random.choice(pairs)
    return divider.join([*pairs, random.choice((again, again.partition(b"=")[0] + b"=x"))])


def _encode(part: bytes, random: Random, words: Words) -> bytes:
    start, end = _slice(part, random)
    return part[:start] + b"".join(b"%%%02x" % byte for byte in part[start:end]) + part[end:]


def _swap_case(part: bytes, random: Random, words: Words) -> bytes:
    start, end = _slice(part, random)
    return part[:start] + part[start:end].swapcase() + part[end:]


def _change_json(part: bytes, random: Random, words: Words) -> bytes:
    try:
        value = json.loads(part)
    except (ValueError, RecursionError):
        return _insert(part, random, words)
    return json.dumps(_changed(value, random, [*NAMES, *_names(words)]), separators=(",", ":")).encode()


def _repeat_member(part: bytes, random: Random, words: Words) -> bytes:
    """Write a member of a JSON object twice, which `json` alone accepts."""
    try:
        value = json.loads(part)
    except (ValueError, RecursionError):
        return _repeat(part, random, words)
    if not isinstance(value, dict) or not value:
        return _repeat(part, random, words)
    first = json.dumps({random.choice(list(value)): random.choice(VALUES)})
    return f"{first[:-1]},{json.dumps(value)[1:]}".encode()


def _changed(value: Any, random: Random, names: Sequence[str]) -> Any:
    """Return a value with another one somewhere in it."""
    if not value or random.random() < 0.15:
        return random.choice(VALUES)
    if isinstance(value, list):
        place = random.randrange(len(value))
        return [*value[:place], _changed(value[place], random, names), *value[place + random.randint(0, 1) :]]
    if not isinstance(value, dict):
        return [value] if random.random() < 0.2 else random.choice(VALUES)
    name = random.choice(list(value))
    kept = {other: item for other, item in value.items() if other != name}
    match random.randrange(4):
        case 0:
            return kept
        case 1:
            return {
                **value,
                random.choice(names): random.choice(VALUES),
            }
    return {**kept, name: _changed(value[name], random, names)}


def _change_dotted(part: bytes, random: Random, words: Words) -> bytes:
    """Change what is inside of one base64url part of a JWT."""
    segments = part.split(b".")
    chosen = random.randrange(len(segments))
    try:
        inside = base64.urlsafe_b64decode(segments[chosen] + b"==")
    except ValueError:
        return _insert(part, random, words)
    changed = random.choice((_change_json, _replace, _insert))(inside, random, words)
    segments[chosen] = base64.urlsafe_b64encode(changed).rstrip(b"=")
    return b".".join(segments)


Change = Callable[[bytes, Random, Words], bytes]
CHANGES: tuple[Change, ...] = (
    *(_insert, _replace, _delete, _repeat, _repeat_pair, _encode, _swap_case),
    *(_change_json, _change_json, _change_json, _repeat_member, _change_dotted),
)
