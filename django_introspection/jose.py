"""Keys that sign and keys that verify, with joserfc: imported when a key is first read (the extra `jwt`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import Any

from .protocol.jwt import (
    SIGNING_ALGORITHMS,
    MalformedJWT,
    UnverifiedJWT,
    decode_base64url,
    encode_base64url,
    signing_input,
)
from .rsa_moduli import MAX_RSA_BITS, problem_of_modulus

MAX_KEYS = 256
"""Keys of one set: servers with many tenants publish dozens."""
MAX_TRIED = 16
"""Keys that are tried for one JWT: a JWT that names no key must not cost a signature for each key of a large set."""
_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
EXTRA_MISSING = "the extra jwt is not installed: pip install 'django-introspection[jwt]'"
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "secp256k1": ("ES256K",),
    "Ed25519": ("EdDSA", "Ed25519"),
    "Ed448": ("EdDSA", "Ed448"),
}
"""The algorithms of each kind of key, the preferred one first (RFC 7518 §3.1, RFC 8812 §3.2, RFC 9864 §2)."""
_SIGN, _VERIFY = ("sign",), ("verify",)
_MAX_EXPONENT = 12
"""Characters of an RSA exponent: 64 bits and more make verifying slow."""


class KeyProblem(ValueError):
    """A key cannot be used; the message says why and holds nothing of the key."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, with the algorithms that it is for: the header of a JWT never chooses (RFC 8725 §3.1)."""

    kid: str | None
    algorithms: frozenset[str]
    _key: Any = field(repr=False)

    def verifies(self, jwt: UnverifiedJWT) -> bool:
        """Return whether the key made the signature of a JWT."""
        alg = jwt.alg
        if alg not in self.algorithms:
            return False
        verified: bool = _algorithm(alg).verify(jwt.signing_input.encode(), jwt.signature, self._key)
        return verified


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key for one algorithm."""

    kid: str
    alg: str
    _key: Any = field(repr=False)

    def sign(self, text: str) -> bytes:
        """Return the signature of a text."""
        signature: bytes = _algorithm(self.alg).sign(text.encode(), self._key)
        return signature

    def sign_jwt(self, media_type: str, claims: Mapping[str, Any]) -> str:
        """Return a JWT of an explicit type (RFC 8725 §3.11)."""
        signed = signing_input({"typ": media_type, "alg": self.alg, "kid": self.kid}, claims)
        return f"{signed}.{encode_base64url(self.sign(signed))}"

    @property
    def verification_key(self) -> VerificationKey:
        """The public half, for this algorithm alone."""
        return VerificationKey(self.kid, frozenset({self.alg}), self._key)

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public members, to publish (RFC 7517 §4)."""
        return {**self._key.as_dict(private=False), "kid": self.kid, "alg": self.alg, "use": "sig"}

    @property
    def private_jwk(self) -> dict[str, Any]:
        """All members, to keep."""
        return {**self._key.as_dict(private=True), "kid": self.kid, "alg": self.alg, "use": "sig"}

    @property
    def private_pem(self) -> str:
        """The key as PKCS #8 text, to keep."""
        pem: bytes = self._key.as_pem(private=True)
        return pem.decode()


def is_installed() -> bool:
    """Return whether the extra `jwt` is installed."""
    return find_spec("joserfc") is not None


def available_algorithms() -> tuple[str, ...]:
    """Return those of SIGNING_ALGORITHMS that the installed library has."""
    from joserfc.jws import JWSRegistry

    return tuple(name for name in SIGNING_ALGORITHMS if name in JWSRegistry.algorithms)


def generate_signing_key(alg: str) -> SigningKey:
    """Make a private key for one of SIGNING_ALGORITHMS; an RSA key has 3072 bits."""
    _need_extra()
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    if alg in _ALGORITHMS["RSA"]:
        return read_signing_key(RSAKey.generate_key(3072).as_dict(private=True), alg=alg)
    curve = next(name for name, algorithms in _ALGORITHMS.items() if alg in algorithms)
    key_class: Any = ECKey if alg.startswith("ES") else OKPKey
    key = key_class.generate_key(curve)
    return read_signing_key(key.as_dict(private=True), alg=alg)


def read_signing_key(value: str | Mapping[str, Any], *, kid: str | None = None, alg: str | None = None) -> SigningKey:
    """Read a private key from a JWK or from PEM; its default name is the thumbprint of RFC 7638.

    Raises KeyProblem for a key that is public, symmetric, weak or not of a supported kind, and for an `alg` that is not
    the key's.
    """
    key = private_key(value, use="sig", operations=_SIGN)
    named = value if isinstance(value, Mapping) else {}
    algorithms = _algorithms(key, named.get("alg"))
    if alg is not None and alg not in algorithms:
        raise KeyProblem(f"{alg} is not an algorithm of this key")
    return SigningKey(kid or kid_of(named) or key.thumbprint(), alg or algorithms[0], key)


def read_verification_key(jwk: Any) -> VerificationKey:
    """Read a public key from a JWK; raises KeyProblem, also for one with private members."""
    key = public_key(jwk, use="sig", operations=_VERIFY)
    return VerificationKey(kid_of(jwk), frozenset(_algorithms(key, jwk.get("alg"))), key)


def read_key_set(jwks: Any) -> tuple[VerificationKey, ...]:
    """Read a JWK Set (RFC 7517 §5); keys that we cannot use are left out. Raises KeyProblem if the value is not one."""
    return tuple(_usable(keys_of(jwks)))


def has_verification_key(jwks: Any) -> bool:
    """Return whether a value is a JWK Set with a key that verifies signatures."""
    try:
        return bool(read_key_set(jwks))
    except KeyProblem:
        return False


def keys_of(jwks: Any) -> list[Any]:
    """Return the keys of a JWK Set as they are; raises KeyProblem if the value is not one."""
    if not isinstance(jwks, Mapping) or not isinstance(jwks.get("keys"), list):
        raise KeyProblem('it is not an object with a list of "keys"')
    if len(jwks["keys"]) > MAX_KEYS:
        raise KeyProblem(f"it has more than {MAX_KEYS} keys")
    return list(jwks["keys"])


def candidates(keys: Iterable[VerificationKey], jwt: UnverifiedJWT) -> list[VerificationKey]:
    """Return the keys that may have made a signature: those with its `kid`, otherwise those without a name.

    Only keys for its algorithm are among them, and MAX_TRIED at most.
    """
    alg, kid = jwt.alg, jwt.kid
    usable = [key for key in keys if alg in key.algorithms]
    named = usable if kid is None else [key for key in usable if key.kid == kid]
    return (named or [key for key in usable if key.kid is None])[:MAX_TRIED]


def is_signed_by(keys: Iterable[VerificationKey], jwt: UnverifiedJWT) -> bool:
    """Return whether one of some keys made the signature of a JWT."""
    return any(key.verifies(jwt) for key in candidates(list(keys), jwt))


def is_repeated(kids: Iterable[str | None]) -> bool:
    """Return whether two keys have the same name (RFC 7517 §4.5)."""
    names = [kid for kid in kids if kid is not None]
    return len(set(names)) != len(names)


def public_key(jwk: Any, *, use: str, operations: tuple[str, ...]) -> Any:
    """Return the key of joserfc for a public JWK that is for one of some operations; raises KeyProblem."""
    _need_extra()
    if not isinstance(jwk, Mapping):
        raise KeyProblem("it is not an object")
    if not jwk.keys().isdisjoint(_PRIVATE_MEMBERS):
        raise KeyProblem("it has private members, and a private key belongs to its owner alone")
    return _from_jwk(jwk, use, operations)


def private_key(value: str | Mapping[str, Any], *, use: str, operations: tuple[str, ...]) -> Any:
    """Return the key of joserfc for private PEM or a private JWK; raises KeyProblem."""
    _need_extra()
    key = _from_pem(value) if isinstance(value, str) else _from_jwk(value, use, operations)
    if not key.is_private:
        raise KeyProblem("it is a public key, but must be a private one")
    return key


def _usable(jwks: list[Any]) -> Iterator[VerificationKey]:
    for jwk in jwks:
        try:
            yield read_verification_key(jwk)
        except KeyProblem:
            continue


def _need_extra() -> None:
    if not is_installed():
        raise KeyProblem(EXTRA_MISSING)


@cache
def _algorithm(alg: str) -> Any:
    from joserfc.jws import JWSRegistry

    return JWSRegistry.algorithms[alg]


def _from_pem(text: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    if "PRIVATE" not in text:
        raise KeyProblem("it is not a private key in PEM")
    text = text.replace("\\r", "").replace("\\n", "\n")  # as .env files write line ends; PEM has no backslash
    try:
        native: Any = load_pem_private_key(text.encode(), password=None)
    except Exception as error:  # noqa: BLE001 - the library raises many, whose messages could quote the key
        raise KeyProblem(f"it cannot be read: {type(error).__name__}") from None
    if isinstance(native, rsa.RSAPrivateKey):
        _check_modulus(native.public_key().public_numbers().n)
    for key_class in (RSAKey, ECKey, OKPKey):
        if key_class.binding.check_cryptography_key(native):
            return key_class.import_key(native)
    raise KeyProblem("it is of a kind that is not supported")


def _from_jwk(jwk: Mapping[str, Any], use: str, operations: tuple[str, ...]) -> Any:
    from joserfc.jwk import JWKRegistry

    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _PUBLIC_MEMBERS:
        raise KeyProblem("it is symmetric, or of a kind that is not supported")
    if jwk.get("use", use) != use or not _allows(jwk.get("key_ops"), operations):
        raise KeyProblem("it is not for " + ("signatures" if use == "sig" else "encryption"))
    members = {name: jwk[name] for name in (*_PUBLIC_MEMBERS[kty], *_PRIVATE_MEMBERS) if name in jwk}
    if not all(isinstance(value, str) for value in members.values()):
        raise KeyProblem("a member has the wrong type")
    if kty == "RSA":
        _check_rsa_members(members)
    try:
        return JWKRegistry.import_key({"kty": kty, **members})
    except Exception as error:  # noqa: BLE001 - the library raises many, whose messages could quote the key
        raise KeyProblem(f"it cannot be read: {type(error).__name__}") from None


def _allows(key_ops: Any, operations: tuple[str, ...]) -> bool:
    return key_ops is None or (isinstance(key_ops, list) and any(each in operations for each in key_ops))


def _check_rsa_members(members: Mapping[str, str]) -> None:
    try:
        modulus = decode_base64url(members.get("n", "")[: MAX_RSA_BITS // 4])
    except MalformedJWT:
        raise KeyProblem("a member is not base64url") from None
    _check_modulus(int.from_bytes(modulus, "big"))
    if len(members.get("e", "")) > _MAX_EXPONENT:
        raise KeyProblem("its exponent is too large")


def _check_modulus(modulus: int) -> None:
    if problem := problem_of_modulus(modulus):
        raise KeyProblem(problem)


def _algorithms(key: Any, alg: Any) -> tuple[str, ...]:
    """Return the algorithms of a key, the preferred one first; its own `alg` leaves one."""
    available = available_algorithms()
    algorithms = tuple(name for name in _ALGORITHMS.get(kind_of(key), ()) if name in available)
    chosen = algorithms if alg is None else tuple(name for name in algorithms if name == alg)
    if not chosen:
        raise KeyProblem("its curve or alg is not supported")
    return chosen


def kind_of(key: Any) -> str:
    """Return "RSA" or the name of the curve, an empty string for a curve that the library has no name for."""
    try:
        return "RSA" if key.key_type == "RSA" else str(key.curve_name)
    except KeyError:
        return ""


def kid_of(jwk: Mapping[str, Any]) -> str | None:
    """Return the name of a JWK; raises KeyProblem."""
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise KeyProblem("its kid is not a string")
    return kid or None
