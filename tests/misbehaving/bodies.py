"""Bodies of a 200 answer that are no introspection response, by name."""

from __future__ import annotations

_GOOD = '{"active": true, "token_type": "Bearer"'
GOOD = f"{_GOOD}}}".encode()
"""The least that is an answer for an active access token."""

NOT_JSON = ["text/html; charset=utf-8", "application/jwt", "application/token-introspection+jwt"]
"""Content types under which even a valid body is refused."""

_WHOLE = {
    "empty body": "",
    "HTML": "<!doctype html><title>Log in</title>",
    "not JSON": "active=true",
    "JSON cut off": _GOOD,
    "something after the JSON": f"{_GOOD}}} {{}}",
    "JSON list": f"[{_GOOD}}}]",
    "JSON string": '"active"',
    "JSON number": "1",
    "JSON null": "null",
    "JSON true": "true",
    "active missing": '{"token_type": "Bearer"}',
    "active null": '{"active": null}',
    "active a string": '{"active": "true"}',
    "active false as a string": '{"active": "false"}',
    "active one": '{"active": 1}',
    "active one with a fraction": '{"active": 1.0}',
    "active zero": '{"active": 0}',
    "active a list": '{"active": [true]}',
    "active in another case": '{"Active": true}',
    "token_type a list": '{"active": true, "token_type": ["Bearer"]}',
    "nested too deep": "[" * 100_000,
}

_MEMBERS = {
    "active twice": '"active": false',
    "member twice": '"sub": "alice", "sub": "root"',
    "NaN": '"exp": NaN',
    "Infinity": '"exp": Infinity',
    "exp a word": '"exp": "never"',
    "exp a boolean": '"exp": true',
    "exp a list": '"exp": [1]',
    "exp of ten thousand digits": f'"exp": 1{"0" * 10_000}',
    "exp beyond floating point": '"exp": 1e400',
    "nbf a word": '"nbf": "now"',
    "iat an object": '"iat": {}',
    "scope a list of lists": '"scope": [["orders:read"]]',
    "scope a list with spaces": '"scope": ["orders:read orders:write"]',
    "scope a number": '"scope": 1',
    "username a list": '"username": ["alice"]',
    "sub a number": '"sub": 1',
    "sub half a surrogate pair": r'"sub": "\ud800"',
    "client_id an object": '"client_id": {}',
    "iss a list": '"iss": ["https://auth.example.com"]',
    "aud a number": '"aud": 1',
    "aud an object": '"aud": {}',
    "aud a list with a number": '"aud": ["https://api.example.com/orders", 1]',
    "aud a list with null": '"aud": ["https://api.example.com/orders", null]',
    "cnf a string": '"cnf": "jkt"',
    "cnf a list": '"cnf": []',
    "member nested too deep": f'"x": {"[" * 500}{"]" * 500}',
}

BODIES: dict[str, bytes] = {
    **{name: text.encode() for name, text in _WHOLE.items()},
    **{name: f"{_GOOD}, {text}}}".encode() for name, text in _MEMBERS.items()},
    "invalid UTF-8": f'{_GOOD}, "sub": "'.encode() + b'\xff"}',
    "UTF-16": f"{_GOOD}}}".encode("utf-16"),
}
