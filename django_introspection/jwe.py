"""Signed JWTs that are encrypted for their recipient, with joserfc (RFC 7516, RFC 7519 §5.2): the extra `jwt`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .jose import KeyProblem, is_repeated, keys_of, kid_of, kind_of, private_key, public_key, read_verification_key
from .protocol.error_reports import conceal_locals
from .protocol.jwt import CONTENT_ALGORITHMS, MalformedJWT, encryption_header

_ENCRYPT = ("encrypt", "wrapKey", "deriveKey", "deriveBits")
_DECRYPT = ("decrypt", "unwrapKey", "deriveKey", "deriveBits")
_RSA = ("RSA-OAEP-256", "RSA-OAEP")
_CURVES = frozenset({"P-256", "P-384", "P-521", "X25519", "X448"})
_ECDH = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """The public key of a recipient, with the algorithms that it is for."""

    kid: str | None
    algorithms: tuple[str, ...]
    _key: Any = field(repr=False)

    def encrypt(self, jwt: str, alg: str, enc: str = "") -> str:
        """Return a signed JWT as a nested one; the content is encrypted with A128CBC-HS256 unless `enc` is given."""
        from joserfc import jwe

        named = {} if self.kid is None else {"kid": self.kid}
        header = {"alg": alg, "enc": enc or CONTENT_ALGORITHMS[0], "cty": "JWT", **named}
        encrypted: str = jwe.encrypt_compact(header, jwt, self._key, algorithms=[header["alg"], header["enc"]])
        return encrypted


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A private key that decrypts what was encrypted for this server."""

    kid: str | None
    algorithms: tuple[str, ...]
    _key: Any = field(repr=False)

    @conceal_locals
    def decrypt(self, value: str, header: Mapping[str, Any]) -> str | None:
        """Return the content of an encrypted JWT with this header, None if it is for another key or was changed."""
        from joserfc import jwe

        if header["alg"] not in self.algorithms:
            return None
        # Claims may be repeated in the header (RFC 7519 §5.3); those of the signed JWT count.
        registry = jwe.JWERegistry(algorithms=[header["alg"], header["enc"]], strict_check_header=False)
        try:
            found = jwe.decrypt_compact(value, self._key, registry=registry)
        except Exception:  # noqa: BLE001 - the library raises many, and each one means the same
            return None
        return (found.plaintext or b"").decode("latin-1")


def read_encryption_key(jwk: Any) -> EncryptionKey:
    """Read a public key from a JWK; raises KeyProblem, also for one with private members."""
    key = public_key(jwk, use="enc", operations=_ENCRYPT)
    return EncryptionKey(kid_of(jwk), _algorithms(key, jwk.get("alg")), key)


def read_decryption_key(value: str | Mapping[str, Any], *, kid: str | None = None) -> DecryptionKey:
    """Read a private key from a JWK or from PEM; raises KeyProblem."""
    key = private_key(value, use="enc", operations=_DECRYPT)
    named = value if isinstance(value, Mapping) else {}
    return DecryptionKey(kid or kid_of(named), _algorithms(key, named.get("alg")), key)


def encryption_key(jwks: Any, alg: str) -> EncryptionKey | None:
    """Return the key of a JWK Set that encrypts with an algorithm, None if there is none.

    A key that says it is for encryption comes before one that says nothing (RFC 7517 §4.2).
    """
    try:
        named_first = sorted(keys_of(jwks), key=lambda jwk: not _is_for_encryption(jwk))
    except KeyProblem:  # the client has no keys
        return None
    return next((key for key in _usable(named_first) if alg in key.algorithms), None)


def check_key_set(jwks: Any) -> None:
    """Raise KeyProblem unless a value is a set of public keys, each of which verifies or encrypts (RFC 7517 §5)."""
    kids, keys = [], keys_of(jwks)
    for number, jwk in enumerate(keys):
        try:
            kids.append((read_encryption_key if _is_for_encryption(jwk) else read_verification_key)(jwk).kid)
        except KeyProblem as problem:
            raise KeyProblem(f"key {number + 1}: {problem}") from None
    if not keys:
        raise KeyProblem("it has no keys")
    if is_repeated(kids):
        raise KeyProblem("two keys have the same kid")


def decrypt(value: str, keys: Iterable[DecryptionKey]) -> str:
    """Return the signed JWT in an encrypted one (RFC 7519 §5.2); raises MalformedJWT.

    The keys with its `kid` are tried, or all if none has it. The header chooses no algorithm that is not the key's.
    """
    header, keys = encryption_header(value), list(keys)
    named = [key for key in keys if key.kid is not None and key.kid == header.get("kid")]
    for key in named or keys:
        if (decrypted := key.decrypt(value, header)) is not None:
            return decrypted
    raise MalformedJWT("no key of this server decrypts it")


def _is_for_encryption(jwk: Any) -> bool:
    return isinstance(jwk, Mapping) and jwk.get("use") == "enc"


def _usable(jwks: Iterable[Any]) -> Iterator[EncryptionKey]:
    for jwk in jwks:
        try:
            yield read_encryption_key(jwk)
        except KeyProblem:
            continue


def _algorithms(key: Any, alg: Any) -> tuple[str, ...]:
    """Return the algorithms of a key; its own `alg` leaves one."""
    kind = kind_of(key)
    algorithms = _RSA if kind == "RSA" else _ECDH if kind in _CURVES else ()
    chosen = tuple(name for name in algorithms if alg in (None, name))
    if not chosen:
        raise KeyProblem("its curve or alg is not supported")
    return chosen
