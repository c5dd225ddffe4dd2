"""qh3's connection with its events taken by an engine, past the library's own objects for them, its logging, and its
splitting of datagrams, which is needed for the handshake only."""

import hmac
from typing import Any, Final, Protocol

from qh3._hazmat import pull_quic_header
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection
from qh3.quic.crypto import derive_key_iv_hp
from qh3.quic.events import HandshakeCompleted, ProtocolNegotiated
from qh3.quic.tls_bridge import QuicTlsBridgeError
from qh3.tls import CipherSuite, Epoch, cipher_suite_hash, hkdf_expand_label

from sbc.wire.http3.credentials import Credentials, choose
from sbc.wire.http3.engine import Address, Beginning, QuicTerms
from sbc.wire.http3.invariants import CONNECTION_ID_OCTETS, VERSIONS, Header

_INITIAL_SALT: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_UNEXPECTED_MESSAGE: Final = 0x10A
"""RFC 9001 section 4.8: the alert of TLS."""
_LONG: Final = 0x80
"""The form of a header (RFC 8999 section 5)."""


def needs_retry(header: Header) -> bool:
    """Whether the client of this first Initial can only be served once it has been given an id by a Retry."""
    return not header.source and len(header.destination) != CONNECTION_ID_OCTETS


class Ears(Protocol):
    """Who is told what the core tells. What they raise goes through the library to whoever gave it a datagram."""

    def asked_for(self, name: str) -> None:
        """The client's ClientHello is here, with this server's name in it."""

    def met(self) -> None:
        """The hello was taken: what is sent from here on only its sender can read, whoever that is."""

    def complete(self) -> None:
        """The handshake is."""

    def broken(self, reason: str) -> None:
        """The client broke the protocol of QUIC or TLS."""

    def took(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of a stream."""

    def heard(self, event: tuple[Any, ...]) -> None:
        """An event of the core's that is not bytes."""


def configuration(terms: QuicTerms, credentials: Credentials) -> QuicConfiguration:
    """What the library has to know of a server's connections."""
    return QuicConfiguration(
        is_client=False, alpn_protocols=["h3"], idle_timeout=terms.idle, max_data=terms.connection_window,
        max_stream_data=terms.stream_window, max_datagram_frame_size=65535 if terms.webtransport else None,
        certificate=credentials.first.leaf, certificate_chain=credentials.first.chain,
        private_key=credentials.first.key,
    )  # fmt: skip


class Connection(QuicConnection):
    """The library's, with its events taken by an engine."""

    def __init__(self, engine: Ears, terms: QuicTerms, credentials: Credentials,
                 beginning: Beginning) -> None:
        super().__init__(
            configuration=configuration(terms, credentials), original_destination_connection_id=beginning.original,
            retry_source_connection_id=beginning.retried)
        self._first_destination = beginning.retried or beginning.original
        self._nameless = not beginning.source
        self.host_cid = self._first_destination if self._nameless else beginning.connection_id
        self._engine = engine
        self._credentials = credentials

    def _create_tls(self, remote_source_cid: bytes | None) -> Any:
        bridge = super()._create_tls(remote_source_cid)
        choose(bridge.tls, self._credentials, self._engine.asked_for)
        return bridge

    @property
    def core(self) -> Any:
        return self._core

    @property
    def shaken(self) -> bool:
        return self._handshake_complete

    def receive_datagram(self, data: bytes, addr: Address, now: float) -> None:
        """One of the handshake: its packets are taken one by one, as each may bring the keys for the next."""
        if self._core is None:
            self._remote_addr, self._version = addr, VERSIONS[0]
            self._create_core(addr, b"" if self._nameless else self._first_destination, now)
            if self._nameless:
                self._key_initials()
            self._create_tls(None)
        core = self._require_core()
        at = 0
        while at < len(data):
            end = self._packet_end(data, at)
            taken = core.receive_datagram(data[at:end], addr, now, len(data))[2]
            if taken and data[at] & _LONG and self._tls is not None:
                # The library would pass over an empty one, as browsers have it (RFC 9000 section 7.3).
                self._tls.remote_initial_source_connection_id = pull_quic_header(data, at, CONNECTION_ID_OCTETS)[4]
            self._drain_core()
            at = end

    def _key_initials(self) -> None:
        """The keys of Initials (RFC 9001 section 5.2), for a client whose own id is empty.

        The core would go on sending to the id that such a client chose first. Told from the beginning that the
        client's id is empty it makes its keys of that, and takes nothing but what is sent to its own id: so it gets
        the right keys, and for its own id the one that the client chose (CONNECTION_ID_OCTETS long: see needs_retry).
        """
        secret = hmac.digest(_INITIAL_SALT, self._first_destination, "sha256")
        suite = CipherSuite.AES_128_GCM_SHA256
        for direction, label in (("receive", b"client in"), ("send", b"server in")):
            traffic = hkdf_expand_label(cipher_suite_hash(suite), secret, label, b"", 32)
            key, iv, hp = derive_key_iv_hp(cipher_suite=suite, secret=traffic, version=VERSIONS[0])
            self._require_core().install_packet_key(
                direction, int(Epoch.INITIAL), ("aes-128-gcm", "aes-128-ecb"), key, iv, hp, 0, traffic, VERSIONS[0])

    def _packet_end(self, data: bytes, at: int) -> int:
        """Where the packet ends that stands at `data[at]`; padding behind the last one is part of it, or the core would
        not count it for what may be sent to an address that is not proven (RFC 9000 section 8.1)."""
        try:
            end = pull_quic_header(data, at, CONNECTION_ID_OCTETS)[9]
            pull_quic_header(data, end, CONNECTION_ID_OCTETS)
        except ValueError:
            return len(data)
        return end if end > at else len(data)

    def drain(self) -> None:
        """Tell of all that the core has to tell."""
        self._drain_core()

    def _drain_core(self) -> None:
        engine, core = self._engine, self._core
        assert core is not None
        while True:
            event = core.next_event()
            if event is None:
                return
            if event[0] == "stream_data":
                engine.took(event[1], event[2], event[3])
            elif event[0] == "crypto_data":
                self._shake(event)
            else:
                engine.heard(event)

    def _shake(self, event: tuple[Any, ...]) -> None:
        """A piece of TLS."""
        assert self._core is not None
        if self._tls is None:
            self._core.close(_UNEXPECTED_MESSAGE, None, b"")
            self._engine.broken("TLS behind its end")
            return
        try:
            self._tls.receive_crypto(Epoch(event[1]), event[3], event[2], version=self._core.version)
            self._drain_tls()
        except QuicTlsBridgeError as fault:
            self._core.close(fault.error_code, int(fault.frame_type), b"")
            self._engine.broken(fault.reason_phrase)
            return
        while self._events:
            happened = self._events.popleft()
            if isinstance(happened, ProtocolNegotiated):
                self._engine.met()
            elif isinstance(happened, HandshakeCompleted):
                self._drop_tls()  # a client has nothing more to say in it (RFC 9001 section 4.4), and it is large
                self._engine.complete()

    def _drop_tls(self) -> None:
        tls, self._tls = self._tls, None
        if tls is not None:
            tls.__dict__.clear()  # it refers to itself, and to the engine

    def release(self) -> None:
        """Let go of everything. Of no use any more."""
        self._drop_tls()
        self.__dict__.clear()
