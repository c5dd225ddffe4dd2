"""The first bytes of datagrams, and the answers that need no connection."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.wire.http3.engine import Beginning
from sbc.wire.http3.factory import make_engine, needs_retry
from sbc.wire.http3.invariants import CONNECTION_ID_OCTETS, Kind, read_header, retry, version_negotiation
from tests.wire.http3.pair import CLIENT, DEFAULT, ENGINES, Pair, QuicNotes, credentials, nameless

LONG = b"\x00\x00\x00\x01\x03abc\x02de"


@pytest.mark.parametrize(("datagram", "kind"), [
    (b"\x40" + bytes(8), Kind.SHORT),
    (b"\xd0" + LONG, Kind.ZERO_RTT),
    (b"\xe0" + LONG, Kind.HANDSHAKE),
    (b"\xf0" + LONG, Kind.RETRY),
    (b"\xc0" + LONG + b"\x04wxyz" + b"rest", Kind.INITIAL),
    (b"\x80\x00\x00\x00\x00\x03abc\x02de", Kind.NEGOTIATION),
    (b"\x80\x6b\x33\x43\xcf\x03abc\x02de", Kind.OTHER_VERSION),
    (b"\x80\xff\x00\x00\x1d\x20" + bytes(32) + b"\x00", Kind.OTHER_VERSION),
])
def test_what_a_datagram_is(datagram: bytes, kind: Kind) -> None:
    header = read_header(datagram)
    assert header is not None and header.kind is kind
    if kind in (Kind.HANDSHAKE, Kind.NEGOTIATION):
        assert (header.destination, header.source) == (b"abc", b"de")
    assert header.token == (b"wxyz" if kind is Kind.INITIAL else b"")


@pytest.mark.parametrize("datagram", [
    b"", b"\x40", b"\x40" + bytes(7), b"\x00" + bytes(20), b"\xc0", b"\xc0\x00\x00", b"\xe0\x00\x00\x00\x01\x08abc",
    b"\xe0\x00\x00\x00\x01\x03abc\x05de", b"\xe0\x00\x00\x00\x01\x15" + bytes(21) + b"\x00", b"\xa0" + LONG,
    b"\xc0" + LONG, b"\xc0" + LONG + b"\x40", b"\xc0" + LONG + b"\x09short",
])
def test_what_makes_no_sense(datagram: bytes) -> None:
    assert read_header(datagram) is None


@given(st.binary(max_size=80))
def test_any_bytes(datagram: bytes) -> None:
    header = read_header(datagram)
    if header is not None and header.kind is Kind.SHORT:
        assert len(header.destination) == CONNECTION_ID_OCTETS


def test_version_negotiation() -> None:
    header = read_header(b"\x80\x6b\x33\x43\xcf\x03abc\x02de")
    assert header is not None
    answer = version_negotiation(header)
    read = read_header(answer)
    assert read is not None and read.kind is Kind.NEGOTIATION
    assert (read.destination, read.source) == (b"de", b"abc"), "as the other side wrote them, turned round"
    versions = [answer[at : at + 4] for at in range(len(answer) - 8, len(answer), 4)]
    assert versions[0] == b"\x00\x00\x00\x01" and all(octet & 0x0F == 0x0A for octet in versions[1])


@pytest.mark.parametrize("library", ["aioquic", "qh3"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_retry(engine: str, library: str) -> None:
    pair = Pair(engine, library, shake=False)
    first = read_header(pair.flight[0])
    assert first is not None
    ours = b"\x05" * 8
    pair.quic.receive_datagram(retry(first, ours, b"a token"), ("192.0.2.1", 443), pair.now)
    again = [data for data, _ in pair.quic.datagrams_to_send(pair.now)]
    second = read_header(again[0])
    assert second is not None and second.token == b"a token" and second.destination == ours
    pair.engine = make_engine(engine, pair.notes, DEFAULT, credentials(engine, "localhost"),
                              Beginning(pair.id, first.destination, first.source, ours))
    pair.notes.engine = pair.engine  # type: ignore[assignment]
    pair.flight = again
    pair.shake()
    assert pair.notes.names == ["localhost"] and pair.ask() in pair.notes.heads


@pytest.mark.parametrize("engine", ENGINES)
def test_a_retry_for_a_client_whose_own_id_is_empty(engine: str) -> None:
    pair = nameless(engine)
    first = read_header(pair.flight[0])
    assert first is not None and first.source == b"" and not needs_retry(engine, first)
    assert needs_retry(engine, replace(first, destination=bytes(12))) == (engine == "qh3")
    ours = b"\x05" * 8
    pair.quic.receive_datagram(retry(first, ours, b"a token"), ("192.0.2.1", 443), pair.now)
    pair.flight = [data for data, _ in pair.quic.datagrams_to_send(pair.now)]
    pair.engine = make_engine(engine, pair.notes, DEFAULT, credentials(engine, "localhost"),
                              Beginning(pair.id, first.destination, b"", ours))
    pair.notes.engine = pair.engine  # type: ignore[assignment]
    pair.shake()
    assert pair.notes.names == ["localhost"] and pair.ask() in pair.notes.heads


@pytest.mark.parametrize("engine", ENGINES)
def test_with_a_retry_the_address_is_proven(engine: str) -> None:
    """More than three times what came is sent at once, if it is needed: to the limit of congestion control."""
    pair = Pair(engine, "aioquic", shake=False)
    first = read_header(pair.flight[0])
    assert first is not None
    pair.quic.receive_datagram(retry(first, b"\x05" * 8, b"t"), ("192.0.2.1", 443), pair.now)
    datagram = pair.quic.datagrams_to_send(pair.now)[0][0]
    made = make_engine(engine, QuicNotes(), DEFAULT, credentials(engine, "localhost"),
                       Beginning(pair.id, first.destination, first.source, b"\x05" * 8))
    made.receive(datagram, CLIENT, pair.now)
    now, sent = pair.now, 0
    for _ in range(6):
        sent += sum(len(each) for each, _ in made.outgoing(now))
        now = max(now + 0.001, made.due() or 0.0)
        made.ring(now)
    assert sent > 3 * len(datagram)
