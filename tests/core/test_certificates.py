"""Whom a client's certificate names."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sbc.core.certificates import LONGEST_HOLDER, holder_of


def certificate(common: str = "", *names: x509.GeneralName) -> bytes:
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


URI, DNS, MAIL = x509.UniformResourceIdentifier("spiffe://x/y"), x509.DNSName("A.test"), x509.RFC822Name("a@b")


@pytest.mark.parametrize(("encoded", "holder"), [
    (certificate("me", MAIL, DNS, URI), "uri:spiffe://x/y"),
    (certificate("me", MAIL, DNS), "dns:a.test"),
    (certificate("me", MAIL), "email:a@b"),
    (certificate("me"), "subject:CN=me"),
    (certificate("dns:a.test"), "subject:CN=dns:a.test"),
    (certificate('Zoë, "%41"'), "subject:CN=Zo%C3%AB%5C, %5C%22%2541%5C%22"),
    (certificate(), ""),
    (certificate("x", x509.UniformResourceIdentifier("u:" + "y" * LONGEST_HOLDER)), ""),
    (b"no certificate", ""),
])  # fmt: skip
def test_the_holder(encoded: bytes, holder: str) -> None:
    assert holder_of(encoded) == holder
