"""Certificates are picked by the name that a client asks for, and may change under way."""

from pathlib import Path

import pytest
import trustme
from cryptography import x509

from sbc.wire.http3.credentials import load_credentials, server_name
from tests.wire.http3.pair import AUTHORITY, ENGINES, Pair, credentials


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


def shown(pair: Pair) -> list[str]:
    """The names of the certificate that the client was shown."""
    leaf = pair.quic.tls._peer_certificate
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)  # type: ignore[no-any-return]


def test_the_certificate_is_picked_by_name(engine: str) -> None:
    held = credentials(engine, "one.test", "two.test", "*.wild.test")
    for name, expected in (("one.test", "one.test"), ("two.test", "two.test"), ("a.wild.test", "*.wild.test")):
        pair = Pair(engine, "aioquic", name=name, held=held)
        assert pair.notes.names == [name] and shown(pair) == [expected]
    pair = Pair(engine, "qh3", name="two.test", held=held)
    assert pair.notes.names == ["two.test"]


def test_another_name_is_shown_the_first(engine: str) -> None:
    pair = Pair(engine, "aioquic", name="three.test", held=credentials(engine, "one.test", "two.test"))
    assert not pair.notes.names, "which this client does not believe"
    assert pair.closed is not None and pair.notes.end is not None


@pytest.mark.parametrize("kind", [trustme.KeyType.RSA, trustme.KeyType.ECDSA])
def test_kinds_of_keys(engine: str, kind: trustme.KeyType, tmp_path: Path) -> None:
    leaf = AUTHORITY.issue_cert("localhost", key_type=kind)
    (tmp_path / "crt").write_bytes(b"".join([pem.bytes() for pem in leaf.cert_chain_pems]))
    (tmp_path / "key").write_bytes(leaf.private_key_pem.bytes())
    held = load_credentials(engine, [(str(tmp_path / "crt"), str(tmp_path / "key"))])
    assert Pair(engine, "aioquic", held=held).notes.names == ["localhost"]


def test_what_cannot_be_used(engine: str, tmp_path: Path) -> None:
    leaf = AUTHORITY.issue_cert("localhost")
    cert, key, noise = tmp_path / "crt", tmp_path / "key", tmp_path / "noise"
    cert.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.write_bytes(leaf.private_key_pem.bytes())
    noise.write_bytes(b"no such thing")
    with pytest.raises(OSError):
        load_credentials(engine, [(str(cert), str(tmp_path / "absent"))])
    for pair in ((cert, noise), (noise, key), (cert, cert)):
        with pytest.raises(ValueError):
            load_credentials(engine, [(str(pair[0]), str(pair[1]))])


@pytest.mark.parametrize("hello", [b"", bytes(40), bytes(100), b"\x01" * 400, b"\xff" * 400])
def test_a_hello_without_a_name(hello: bytes) -> None:
    assert server_name(hello) == ""
