"""The certificates of a listener as the QUIC engines take them, one picked for each handshake by the name asked for.

Neither library picks by SNI (RFC 6066 section 3). Both read the whole ClientHello in one method of the same name before
they look at their certificate, so that is where one is chosen, from the bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from weakref import ref

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from qh3.quic.configuration import QuicConfiguration as RustConfiguration

from sbc.core.certificates import names_of, pick

_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """One, with its chain and its key: objects of the engine's library."""

    leaf: Any
    chain: list[Any]
    key: Any


@dataclass(frozen=True, slots=True)
class Credentials:
    """The certificates of a listener, by the names they are good for."""

    first: Certificate
    by_name: dict[str, Certificate]

    def pick(self, name: str) -> Certificate:
        """The one for a name that a client asks for: its own, a wildcard's, or the first."""
        return pick(self.by_name, name, self.first)


def load_credentials(engine: str, pairs: Sequence[tuple[str, str]]) -> Credentials:
    """Load pairs of (certificate file, key file) for an engine (`auto`, `qh3` or `aioquic`). Raises OSError or
    ValueError if one cannot be used."""
    loaded: list[Certificate] = []
    by_name: dict[str, Certificate] = {}
    for cert, key in pairs:
        pem, secret = Path(cert).read_bytes(), Path(key).read_bytes()
        certificate = _checked(pem, secret)
        names = names_of(certificate.leaf)
        if engine != "aioquic":
            certificate = _of_rust(pem, secret)
        loaded.append(certificate)
        for name in names:
            by_name.setdefault(name, certificate)
    return Credentials(loaded[0], by_name)


def _checked(pem: bytes, secret: bytes) -> Certificate:
    """As aioquic takes it. What is no certificate and its key is found here: qh3 would not say it as an error."""
    try:
        leaf, *chain = x509.load_pem_x509_certificates(pem)
        key = load_pem_private_key(secret, None)
    except (TypeError, UnsupportedAlgorithm) as fault:
        raise ValueError(str(fault)) from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise ValueError("a key that QUIC has no use for")
    if key.public_key() != leaf.public_key():
        raise ValueError("the key is not that of the certificate")
    return Certificate(leaf, chain, key)


def _of_rust(pem: bytes, secret: bytes) -> Certificate:
    loaded = RustConfiguration(is_client=False)
    try:
        loaded.load_cert_chain(pem, secret)
    except Exception as fault:  # each part of the library has errors of its own, some derived from Exception alone
        raise ValueError(f"not a certificate and its key: {fault}") from None
    return Certificate(loaded.certificate, loaded.certificate_chain, loaded.private_key)


def choose(tls: Any, credentials: Credentials, tell: Callable[[str], None]) -> None:
    """Have a library's TLS pick the certificate when the ClientHello is here. tell: is given the name asked for."""
    read_hello, here = type(tls)._server_handle_hello, ref(tls)  # not held: it will hold `read`

    def read(message: Any, *rest: Any) -> None:
        tls: Any = here()
        name = server_name(message.data_slice(0, message.capacity))
        picked = credentials.pick(name)
        tls.certificate, tls.certificate_chain, tls.certificate_private_key = picked.leaf, picked.chain, picked.key
        tell(name)
        read_hello(tls, message, *rest)

    tls._server_handle_hello = read


def server_name(hello: bytes) -> str:
    """The host that a ClientHello asks for (RFC 8446 section 4.1.2, RFC 6066 section 3), in lower case; empty if it
    says none."""
    at = 4 + 2 + 32  # of the message, its version, its random
    at = _skip(hello, at, 1)  # session id
    at = _skip(hello, at, 2)  # cipher suites
    at = _skip(hello, at, 1)  # compressions
    end = _skip(hello, at, 2)
    at += 2
    while at + 4 <= min(end, len(hello)):
        kind = int.from_bytes(hello[at : at + 2], "big")
        after = _skip(hello, at + 2, 2)
        if kind == _SERVER_NAME:
            return _first_host(hello[at + 6 : after])
        at = after
    return ""


def _skip(hello: bytes, at: int, width: int) -> int:
    """Where a vector ends whose length stands at `at`, in so many bytes."""
    return at + width + int.from_bytes(hello[at : at + width], "big")


def _first_host(names: bytes) -> str:
    if not names or names[0] != _HOST_NAME:
        return ""
    try:
        return names[3 : 3 + int.from_bytes(names[1:3], "big")].decode("ascii").lower()
    except UnicodeDecodeError:
        return ""
