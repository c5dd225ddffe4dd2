"""Certificates: TLS contexts that pick a certificate by SNI and take new ones without a restart."""

import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from sbc.core.certificates import names_of, pick

SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325 section 4.2)."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The certificates of a listener, by the names they are good for."""

    first: ssl.SSLContext
    by_name: dict[str, ssl.SSLContext]
    expires: float
    """When the first of them expires, in wall-clock seconds."""

    def pick(self, name: str | None) -> ssl.SSLContext:
        """The context for a name that a client asks for: its own, a wildcard's, or the first."""
        return self.first if name is None else pick(self.by_name, name, self.first)

    def choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _own: ssl.SSLContext) -> None:
        """Switch a handshake to the context for its name: the callback of `first`, with which they all begin."""
        connection.context = self.pick(name)


@dataclass(frozen=True, slots=True)
class Vouching:
    """Who vouches for those who come."""

    ca: str
    """The PEM file with the certificates of authorities."""
    required: bool
    """Whether a handshake without a certificate fails."""


def stock(
    certificates: Sequence[tuple[str, str]], min_version: str, protocols: Sequence[str] = ("http/1.1",),
    vouching: Vouching | None = None,
) -> Shelf:
    """Load pairs of (certificate file, key file). Raises OSError or ssl.SSLError if one cannot be used.

    protocols: what is offered to clients that ask by ALPN (RFC 7301), the best first. vouching: None: clients are not
    asked for certificates.
    """
    contexts: list[ssl.SSLContext] = []
    by_name: dict[str, ssl.SSLContext] = {}
    expires = float("inf")
    for cert, key in certificates:
        context = _context(min_version, protocols)
        if vouching is not None:
            _ask_for_certificates(context, vouching)
        context.load_cert_chain(cert, key)
        contexts.append(context)
        leaf = x509.load_pem_x509_certificate(Path(cert).read_bytes())
        expires = min(expires, leaf.not_valid_after_utc.timestamp())
        for name in names_of(leaf):
            by_name.setdefault(name, context)
    shelf = Shelf(contexts[0], by_name, expires)
    # Called for every handshake, with None from clients that name no server.
    shelf.first.sni_callback = shelf.choose
    return shelf


def _context(min_version: str, protocols: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(list(protocols))
    return context


def _ask_for_certificates(context: ssl.SSLContext, vouching: Vouching) -> None:
    context.load_verify_locations(vouching.ca)
    context.verify_mode = ssl.CERT_REQUIRED if vouching.required else ssl.CERT_OPTIONAL
    # Whoever resumes a session is not asked again, whatever has become of the certificate since. TLS 1.2 also knows
    # sessions without tickets, which Python cannot switch off: they end with the context, or after two hours.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


_before = sys.unraisablehook


def _names_are_ordinary(fault: "sys.UnraisableHookArgs") -> None:
    """A server name that is not ASCII ends its handshake; CPython would print a traceback for each one, too."""
    if not isinstance(fault.exc_value, UnicodeDecodeError):
        _before(fault)


class Front:
    """What a listener shows its clients: the shelf of the moment, for the handshakes to come."""

    __slots__ = ("shelf",)

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        sys.unraisablehook = _names_are_ordinary

    def expires_in(self) -> float:
        """Seconds until the first certificate expires."""
        return self.shelf.expires - datetime.now(UTC).timestamp()
