"""Verify the vectors of Wycheproof with the keys and the parsers of this package: `make wycheproof VECTORS=…`.

https://github.com/C2SP/wycheproof is on no package registry, so VECTORS names the directory `testvectors_v1` of a
checkout. Most vectors sign a payload that is no JSON; its place in the parser is taken by an empty object.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from django_introspection.jose import KeyProblem, is_signed_by, read_key_set, read_verification_key
from django_introspection.jwe import decrypt, read_decryption_key
from django_introspection.protocol.jwt import (
    CONTENT_ALGORITHMS,
    ENCRYPTION_ALGORITHMS,
    SIGNING_ALGORITHMS,
    MalformedJWT,
    UnverifiedJWT,
    decode_base64url,
    encode_base64url,
    parse_jwt,
)

RAW_SIGNATURES = {
    "ecdsa_secp256r1_sha256_p1363": ("ES256",),
    "ecdsa_secp384r1_sha384_p1363": ("ES384",),
    "ecdsa_secp521r1_sha512_p1363": ("ES512",),
    "ecdsa_secp256k1_sha256_p1363": ("ES256K",),
    "ed25519": ("EdDSA", "Ed25519"),
    "ed448": ("EdDSA", "Ed448"),
    **{f"rsa_signature_{bits}_sha{size}": (f"RS{size}",) for bits in (2048, 3072, 4096) for size in (256, 384, 512)},
    "rsa_signature_8192_sha256": ("RS256",),
    "rsa_pss_2048_sha256_mgf1_32": ("PS256",),
    "rsa_pss_3072_sha256_mgf1_32": ("PS256",),
    "rsa_pss_4096_sha256_mgf1_32": ("PS256",),
    "rsa_pss_2048_sha384_mgf1_48": ("PS384",),
    "rsa_pss_4096_sha384_mgf1_48": ("PS384",),
    "rsa_pss_4096_sha512_mgf1_64": ("PS512",),
}
"""The files of signatures over any bytes, and the algorithms that they are vectors of."""
OTHER_PADDINGS = {
    "rsa_pss_2048_sha256_mgf1_0": "PS256",
    "rsa_pss_2048_sha256_mgf1sha1_20": "PS256",
    "rsa_pss_2048_sha512_mgf1sha256_32_params": "PS512",
    "rsa_pss_4096_sha512_mgf1_32": "PS512",
}
"""Files whose salt or mask no algorithm of JWS has (RFC 7518 §3.5): none of their signatures may be accepted."""
JUDGED = {
    **dict.fromkeys(
        (("json_web_signature", "346"), ("json_web_signature", "350")),
        "the key says that it is for PS256, and the signature was made with PS384 (RFC 8725 §3.1)",
    ),
    (
        "rsa_pss_2048_sha256_mgf1_0 as PS256",
        "69",
    ): "it was made with the salt of PS256, which its own file does not use",
}
"""The vectors that are judged in another way here, and why."""
EMPTY = encode_base64url(b"{}")
HEADINGS = (
    "file",
    "valid, accepted",
    "valid, refused",
    "valid, not supported",
    "invalid, refused",
    "invalid, accepted",
)


class Vector(NamedTuple):
    """A vector: whether it is valid, whether its algorithm is one of ours, and whether it was accepted."""

    name: str
    is_valid: bool
    is_ours: bool
    is_accepted: bool

    @property
    def outcome(self) -> str:
        if not self.is_valid:
            return "invalid, accepted" if self.is_accepted else "invalid, refused"
        if self.is_accepted:
            return "valid, accepted"
        return "valid, refused" if self.is_ours else "valid, not supported"


def main(directory: Path) -> int:
    total: Counter[str] = Counter()
    wrong: list[str] = []
    print(*HEADINGS, sep=" | ")
    for name, vectors in all_vectors(directory):
        found = list(vectors)
        counts = Counter(each.outcome for each in found)
        total += counts
        wrong += [f"{name} {each.name}: {each.outcome}" for each in found if is_wrong(name, each)]
        print(name, *(counts[heading] for heading in HEADINGS[1:]), sep=" | ")
    print("sum", *(total[heading] for heading in HEADINGS[1:]), sep=" | ")
    for (file, number), reason in JUDGED.items():
        print(f"judged otherwise on purpose: {file} {number}: {reason}")
    print("\n".join(wrong) or "every other vector was judged as it says")
    return 1 if wrong or not total else 0


def is_wrong(file: str, vector: Vector) -> bool:
    return vector.outcome in ("valid, refused", "invalid, accepted") and (file, vector.name) not in JUDGED


def all_vectors(directory: Path) -> Iterator[tuple[str, Iterable[Vector]]]:
    """Yield the name of each file, and its vectors."""
    for name in ("json_web_signature", "json_web_key", "json_web_crypto"):
        yield name, list(vectors_of(directory, name, "jws", accepts_jws, uses_our_signature))
    for name in ("json_web_encryption", "json_web_crypto"):
        yield f"{name} (encryption)", list(vectors_of(directory, name, "jwe", accepts_jwe, uses_our_encryption))
    for name, algorithms in RAW_SIGNATURES.items():
        for alg in algorithms:
            yield f"{name} as {alg}", list(raw_vectors(directory, name, alg))
    for name, alg in OTHER_PADDINGS.items():
        yield f"{name} as {alg}", [each._replace(is_valid=False) for each in raw_vectors(directory, name, alg)]


def vectors_of(
    directory: Path,
    name: str,
    member: str,
    accepts: Callable[[dict[str, Any], str], bool],
    is_ours: Callable[[dict[str, Any], str], bool],
) -> Iterator[Vector]:
    for group in groups_of(directory, name):
        for test in group["tests"]:
            if member in test:
                text = test[member] if isinstance(test[member], str) else ""  # JSON serializations are not tokens
                is_valid = test["result"] == "valid"
                yield Vector(str(test["tcId"]), is_valid, is_ours(group, text), accepts(group, text))


def raw_vectors(directory: Path, name: str, alg: str) -> Iterator[Vector]:
    """Yield the vectors of a file of signatures; those that are "acceptable" must be refused, as JWS is strict."""
    for group in groups_of(directory, name):
        key = read_verification_key(jwk_of(group))
        for test in group["tests"]:
            message = bytes.fromhex(test["msg"])
            jwt = UnverifiedJWT({"alg": alg}, {}, message.decode("latin-1"), bytes.fromhex(test["sig"]))
            yield Vector(str(test["tcId"]), test["result"] == "valid", True, verifies_bytes(key, jwt, message))


def groups_of(directory: Path, name: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = json.loads((directory / f"{name}_test.json").read_text())["testGroups"]
    return groups


def jwk_of(group: dict[str, Any]) -> dict[str, Any]:
    """Return the public key of a group, which some files have in DER alone."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    native: Any = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
    key_class = next(each for each in (RSAKey, ECKey, OKPKey) if each.binding.check_cryptography_key(native))
    return dict(key_class.import_key(native).as_dict(private=False))


def verifies_bytes(key: Any, jwt: UnverifiedJWT, message: bytes) -> bool:
    """Verify a signature over bytes: the signing input of a JWT is always ASCII, and a vector's message is not."""

    class Bytes(str):
        __slots__ = ()

        def encode(self, *_: Any, **__: Any) -> bytes:
            return message

    return bool(key.verifies(replace(jwt, signing_input=Bytes())))


def accepts_jws(group: dict[str, Any], text: str) -> bool:
    """Return whether a JWS in compact form is accepted with the public keys of its group."""
    public = group.get("public", group["private"])
    keys = read_key_set(public if "keys" in public else {"keys": [public]})
    header, dot, rest = text.partition(".")
    payload, dot, signature = rest.partition(".")
    try:
        decode_base64url(payload)
        jwt = parse_jwt(f"{header}{dot}{EMPTY}{dot}{signature}")
    except MalformedJWT:
        return False
    return is_signed_by(keys, replace(jwt, signing_input=f"{header}.{payload}"))


def accepts_jwe(group: dict[str, Any], text: str) -> bool:
    """Return whether a JWE in compact form is decrypted with the private keys of its group."""
    private = group["private"]
    keys = []
    for jwk in private.get("keys", [private]):
        try:
            keys.append(read_decryption_key(jwk))
        except KeyProblem:
            continue
    try:
        decrypt(text, keys)
    except MalformedJWT:
        return False
    return True


def uses_our_signature(group: dict[str, Any], text: str) -> bool:
    return header_of(text).get("alg") in SIGNING_ALGORITHMS and keys_name(group, SIGNING_ALGORITHMS)


def uses_our_encryption(group: dict[str, Any], text: str) -> bool:
    header = header_of(text)
    is_supported = header.get("alg") in ENCRYPTION_ALGORITHMS and header.get("enc") in CONTENT_ALGORITHMS
    return is_supported and header.keys().isdisjoint({"zip", "crit"}) and keys_name(group, ENCRYPTION_ALGORITHMS)


def keys_name(group: dict[str, Any], algorithms: Iterable[str]) -> bool:
    """Return whether the keys of a group are for these algorithms: some name one that does not exist."""
    keys = group["private"].get("keys", [group["private"]])
    return any(key.get("alg") in (None, *algorithms) for key in keys)


def header_of(text: str) -> dict[str, Any]:
    try:
        header = json.loads(decode_base64url(text.partition(".")[0]))
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
