"""Certificates, keys and secrets on disk, with certificates made for the test."""

import os
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from sbc.config import Certificate, parse
from sbc.config.faults import Wrong
from sbc.config.files import check_certificate, check_key, check_secret, content
from tests.config.written import LEAST, faults


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pair(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """A certificate and its key."""
    return _pair(authority, tmp_path, "one")


def _pair(authority: trustme.CA, folder: Path, name: str) -> tuple[str, str]:
    leaf = authority.issue_cert("sbc.example")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return str(cert), str(key)


def _secure(cert: str, key: str) -> str:
    tls = f"{{certificates: [{{cert: '{cert}', key: '{key}'}}], min_version: '1.3'}}"
    return f'listeners: [{{name: s, listen: "127.0.0.1:0", tls: {tls}}}]\n' + LEAST.partition("\n")[2]


def test_a_good_pair(pair: tuple[str, str]) -> None:
    check_certificate(pair[0])
    check_key(*pair)
    (listener,) = parse(_secure(*pair), "f").listeners
    assert listener.tls is not None
    assert (listener.tls.certificates, listener.tls.min_version) == ((Certificate(*pair),), "1.3")


def test_comments_in_other_encodings_do_no_harm(pair: tuple[str, str]) -> None:
    cert = Path(pair[0])
    cert.write_bytes("# für sbc\n".encode("latin-1") + cert.read_bytes())
    check_certificate(pair[0])


def test_the_key_of_another_certificate(authority: trustme.CA, pair: tuple[str, str], tmp_path: Path) -> None:
    _, key = _pair(authority, tmp_path, "two")
    with pytest.raises(Wrong, match="the key of another certificate"):
        check_key(pair[0], key)
    (fault,) = faults(_secure(pair[0], key))
    assert "listeners.0.tls.certificates.0.key: the key of another certificate" in fault


def test_a_key_with_a_pass_phrase_is_refused_and_not_asked_for(pair: tuple[str, str]) -> None:
    key = Path(pair[1])
    locked = load_pem_private_key(key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    key.write_bytes(locked)
    with pytest.raises(Wrong, match="without a pass phrase"):
        check_key(*pair)


@pytest.mark.parametrize("spoilt", [b"", b"hello", b"\x00\xff" * 100,
                                    b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_or_key(pair: tuple[str, str], tmp_path: Path, spoilt: bytes) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(spoilt)
    with pytest.raises(Wrong, match="not a certificate"):
        check_certificate(str(junk))
    with pytest.raises(Wrong, match="not a private key"):
        check_key(pair[0], str(junk))


def test_with_a_bad_certificate_the_key_is_only_looked_for(pair: tuple[str, str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.crt"
    bad.write_text("hello")
    (fault,) = faults(_secure(str(bad), pair[1]))
    assert "cert: not a certificate" in fault
    both = faults(_secure(str(bad), str(tmp_path / "none.key")))
    assert ["cert: not a certificate" in both[0], "key: cannot be read" in both[1]] == [True, True]


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", tmp_path, "/dev/zero", "a\0b"):
        with pytest.raises(Wrong, match="not a file"):
            content(str(name))
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    with pytest.raises(Wrong, match="at most"):
        content(str(big))


def test_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    check_secret(str(path))
