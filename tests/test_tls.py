"""What a scanner would find at a listener: versions, suites, names, compression, renegotiation. All in memory."""

import ssl
import warnings
from pathlib import Path

import pytest
import trustme

from sbc.tls import Shelf, stock
from tests.transports.door import issued
from tests.wire.tls import AUTHORITY

OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
GOOD = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Certificates with keys of both kinds, so that no suite fails for want of one."""
    pairs = []
    for kind, name in ((trustme.KeyType.RSA, "rsa.test"), (trustme.KeyType.ECDSA, "ec.test")):
        directory: Path = tmp_path_factory.mktemp(kind.name)
        leaf = AUTHORITY.issue_cert(name, key_type=kind)
        leaf.private_key_pem.write_to_path(directory / "key.pem")
        (directory / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        pairs.append((str(directory / "cert.pem"), str(directory / "key.pem")))
    return stock(pairs, "1.2", ("h2", "http/1.1"))


def scanner(suites: str | None = None, *versions: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks whatever it is told, however bad."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.options &= ~ssl.OP_NO_COMPRESSION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers(f"{suites or 'ALL:COMPLEMENTOFALL'}:@SECLEVEL=0")
        if versions:
            context.minimum_version, context.maximum_version = min(versions), max(versions)
    return context


def shake(shelf: Shelf, context: ssl.SSLContext, name: str | None = "rsa.test",
          session: ssl.SSLSession | None = None) -> ssl.SSLObject:  # fmt: skip
    """The client's side after a handshake. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=name, session=session)
    server = shelf.first.wrap_bio(up, down, server_side=True)
    done = 0
    while done < 2:
        done = 0
        for side in (client, server):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
    return client


def test_versions(shelf: Shelf) -> None:
    for version in OLD:
        with pytest.raises(ssl.SSLError):
            shake(shelf, scanner(None, version))
    for version, said in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        client = shake(shelf, scanner(None, version))
        assert (client.version(), client.compression()) == (said, None)


def test_suites(shelf: Shelf) -> None:
    """Of all that this machine's library can, those with forward secrecy and authenticated encryption alone."""
    taken = set()
    for suite in scanner().get_ciphers():
        if suite["protocol"] == "TLSv1.3":
            continue
        for name in ("rsa.test", "ec.test"):
            try:
                client = shake(shelf, scanner(suite["name"], ssl.TLSVersion.TLSv1_2), name)
            except ssl.SSLError:
                continue
            found = client.cipher()
            assert found is not None
            taken.add(found[0])
    assert taken == set(GOOD)
    assert {suite["name"] for suite in scanner().get_ciphers()} > taken, "there was something to refuse"
    third = shake(shelf, scanner(None, ssl.TLSVersion.TLSv1_3)).cipher()
    assert third is not None and third[0].startswith("TLS_")


def test_names(shelf: Shelf) -> None:
    shown = {name: shake(shelf, scanner(), name).getpeercert(binary_form=True)
             for name in ("rsa.test", "ec.test", "EC.test", "other.test", None)}
    assert shown["rsa.test"] == shown["other.test"] == shown[None] != shown["ec.test"] == shown["EC.test"]


def test_nobody_renegotiates(shelf: Shelf) -> None:
    for context in {shelf.first, *shelf.by_name.values()}:
        assert context.options & ssl.OP_NO_RENEGOTIATION and context.options & ssl.OP_NO_COMPRESSION
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_new_shelf_has_new_keys_for_tickets(tmp_path: Path) -> None:
    pair = issued(tmp_path)
    context = scanner(None, ssl.TLSVersion.TLSv1_2)
    one, other = (stock((pair,), "1.2") for _ in range(2))
    session = shake(one, context, "localhost").session
    for shelf, resumed in ((one, True), (other, False)):
        assert shake(shelf, context, "localhost", session).session_reused is resumed
