"""Certificates of TLS clients, made with cryptography: by one authority, or signed by themselves."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import jose


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate and its key, in the forms in which they travel."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def base64(self) -> str:
        return base64.b64encode(self.der).decode()

    @property
    def thumbprint(self) -> str:
        return jose.encode(self.certificate.fingerprint(hashes.SHA256()))

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as a JWK with the certificate in it (RFC 8705 §2.2.2)."""
        numbers = self.key.public_key().public_numbers()
        point = {name: jose.encode(value.to_bytes(32, "big")) for name, value in (("x", numbers.x), ("y", numbers.y))}
        return {"kty": "EC", "crv": "P-256", **point, "x5c": [self.base64]}

    def header(self, form: str) -> str:
        """Return the value that a proxy sends."""
        return {
            "rfc9440": f":{self.base64}:",
            "pem": quote(self.pem, safe=""),
            "base64": self.base64,
            "envoy": f'Hash=ab;Cert="{quote(self.pem, safe="")}";Subject="CN=shop,O=Example";URI=;DNS=a.example',
        }[form]

    def write(self, directory: Path, name: str) -> tuple[str, str]:
        """Write the files of the certificate and the key, and return their names."""
        files = directory / f"{name}.pem", directory / f"{name}-key.pem"
        files[0].write_text(self.pem)
        files[1].write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(files[0]), str(files[1])


@cache
def make(
    subject: str = "CN=shop,O=Example",
    *,
    dns: str = "",
    uri: str = "",
    ip: str = "",
    email: str = "",
    self_signed: bool = False,
    number: int = 0,
) -> ClientCertificate:
    """Return the certificate with these names; another `number` makes another one."""
    names: list[x509.GeneralName] = []
    names += [x509.DNSName(dns)] if dns else []
    names += [x509.UniformResourceIdentifier(uri)] if uri else []
    names += [x509.IPAddress(ip_address(ip))] if ip else []
    names += [x509.RFC822Name(email)] if email else []
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject, key)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if self_signed:
        return ClientCertificate(builder.issuer_name(_name(subject)).sign(key, hashes.SHA256()), key)
    signed = builder.issuer_name(authority().certificate.subject).sign(authority().key, hashes.SHA256())
    return ClientCertificate(signed, key)


@cache
def authority() -> ClientCertificate:
    """Return the authority that signs the others."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("CN=Authority of tests", key).issuer_name(_name("CN=Authority of tests"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return ClientCertificate(builder.sign(key, hashes.SHA256()), key)


def _builder(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _name(text: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(text)
