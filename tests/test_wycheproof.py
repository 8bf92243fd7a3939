"""The command that verifies the vectors of Wycheproof notices a wrong judgement; its vectors are on no registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from django_introspection.jose import read_signing_key
from tests import jose
from tests.peer_suites import wycheproof

NAME = "ecdsa_secp256r1_sha256_p1363"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files without vectors, apart from one of signatures."""
    monkeypatch.setattr(wycheproof, "RAW_SIGNATURES", {NAME: ("ES256",)})
    monkeypatch.setattr(wycheproof, "OTHER_PADDINGS", {})
    for name in ("json_web_signature", "json_web_key", "json_web_crypto", "json_web_encryption", NAME):
        write(tmp_path, name, [])
    return tmp_path


def write(directory: Path, name: str, groups: list[dict[str, Any]]) -> None:
    (directory / f"{name}_test.json").write_text(json.dumps({"testGroups": groups}))


def group_of_signatures(results: dict[str, str]) -> dict[str, Any]:
    """Return a group with one signature for each name, right unless it is named so, and the result that is stated."""
    key = ec.generate_private_key(ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(b"\xffmessage", ec.ECDSA(SHA256())))
    right = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signatures = {"right": right, "wrong": right[:-1] + bytes([right[-1] ^ 1])}
    return {
        "publicKeyDer": public.hex(),
        "tests": [
            {"tcId": number, "msg": b"\xffmessage".hex(), "sig": signatures[name].hex(), "result": result}
            for number, (name, result) in enumerate(results.items(), 1)
        ],
    }


def test_vectors_that_are_judged_as_they_say_pass(directory: Path) -> None:
    write(directory, NAME, [group_of_signatures({"right": "valid", "wrong": "invalid"})])

    assert wycheproof.main(directory) == 0


@pytest.mark.parametrize("results", [{"right": "invalid"}, {"wrong": "valid"}])
def test_a_vector_that_is_judged_otherwise_fails(directory: Path, results: dict[str, str], capsys: Any) -> None:
    write(directory, NAME, [group_of_signatures(results)])

    assert wycheproof.main(directory) == 1
    assert f"{NAME} as ES256 1: " in capsys.readouterr().out


def test_a_directory_without_vectors_fails(directory: Path) -> None:
    assert wycheproof.main(directory) == 1


@pytest.mark.parametrize(("change", "code"), [("", 0), ("x", 1)])
def test_a_jws_whose_payload_is_no_json_is_verified(directory: Path, change: str, code: int) -> None:
    signed = f"{jose.part({'alg': 'ES256'})}.{jose.encode(b'no JSON')}"
    jws = f"{signed}.{jose.encode(read_signing_key(jose.private('ES256')).sign(signed + change))}"
    group = {"private": jose.private("ES256"), "public": jose.public("ES256")}
    write(directory, "json_web_signature", [{**group, "tests": [{"tcId": 1, "jws": jws, "result": "valid"}]}])

    assert wycheproof.main(directory) == code
