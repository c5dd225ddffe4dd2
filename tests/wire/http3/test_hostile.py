"""Datagrams that are lost, doubled, spoilt or made up: nothing escapes `receive`, and honest bytes arrive."""

import os
import random
from typing import Any

import pytest
from aioquic.tls import Epoch
from hypothesis import given, settings
from hypothesis import strategies as st

from sbc.model.http import Fields
from sbc.wire.http3.engine import Beginning
from sbc.wire.http3.factory import make_engine
from sbc.wire.http3.frames import Frame, frame, varint
from tests.support.quic_forge import crypto, hello, initial
from tests.wire.http3.pair import CLIENT, DEFAULT, ENGINES, REQUEST, Pair, QuicNotes, credentials, nameless
from tests.wire.http3.test_layer import CONTROL, TUNNEL, data, head

OK: Fields = [(b":status", b"200")]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


def spoil(chance: random.Random, datagram: bytes) -> list[bytes]:
    """What a bad path, or a bad client, makes of a datagram."""
    what = chance.random()
    if what < 0.1:
        return []
    if what < 0.2:
        return [datagram, datagram]
    if what < 0.4:
        spoilt = bytearray(datagram)
        for _ in range(chance.randint(1, 8)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        return [bytes(spoilt)]
    if what < 0.5:
        return [datagram[: chance.randrange(len(datagram))], datagram]
    if what < 0.6:
        return [datagram, chance.randbytes(chance.randrange(1, 1300))]
    return [datagram]


@pytest.mark.parametrize("seed", range(12))
def test_a_bad_path(engine: str, seed: int) -> None:
    chance = random.Random(seed)
    pair = nameless(engine) if seed % 3 == 0 else Pair(engine, "aioquic", shake=False)
    pair.to_engine = lambda datagram: spoil(chance, datagram)
    pair.shake()
    for _ in range(20):
        if pair.notes.names:
            break
        pair.advance(1.0)
        pair.exchange()
    assert pair.notes.names == ["localhost"], pair.notes.end
    body = chance.randbytes(50_000)
    stream = pair.ask(body=body)
    pair.notes.take = True
    for _ in range(40):
        if stream in pair.notes.complete:
            break
        pair.advance(0.5)
        pair.exchange()
    assert pair.notes.bodies[stream] == body and pair.closed is None


def test_datagrams_made_of_noise(engine: str) -> None:
    chance = random.Random(1)
    pair = Pair(engine, "aioquic")
    for _ in range(400):
        first = chance.choice([b"", b"\x40" + pair.id, b"\xc0\x00\x00\x00\x01\x08" + pair.id + b"\x08" + bytes(8)])
        pair.engine.receive(first + chance.randbytes(chance.randrange(1300)), CLIENT, pair.now)
        pair.engine.outgoing(pair.now)
    stream = pair.ask()
    pair.engine.respond(stream, OK, end=True)
    pair.exchange()
    assert pair.answer(stream)[2] and pair.notes.end is None


def test_first_datagrams_made_of_noise(engine: str) -> None:
    chance = random.Random(2)
    held = credentials(engine, "localhost")
    for _ in range(150):
        notes = QuicNotes()
        made = make_engine(engine, notes, DEFAULT, held, Beginning(bytes(8), bytes(range(8)), b"them"))
        initial = b"\xc0\x00\x00\x00\x01\x08" + bytes(range(8)) + b"\x00\x00" + varint(1170)
        for size in (1200, 1200, 40):
            datagram = (initial if size > 100 else b"\xe0" + initial[1:]) + chance.randbytes(size)
            made.receive(datagram[: max(size, 60)], CLIENT, 5.0)
            sent = made.outgoing(5.0)
            assert not sent
        due = made.due()
        if due is not None:
            made.ring(due)
            made.ring(due + 100.0)
        assert not notes.names


def test_an_initial_that_does_not_open(engine: str) -> None:
    notes = QuicNotes()
    beginning = Beginning(bytes(8), bytes(range(8)), b"them")
    made = make_engine(engine, notes, DEFAULT, credentials(engine, "localhost"), beginning)
    made.receive(initial(crypto(hello()), os.urandom(8), keys=os.urandom(8)), CLIENT, 5.0)
    assert made.outgoing(5.0) == [] and not notes.names
    made.ring(made.due() or 100.0)
    assert made.outgoing(100.0) == []


def test_hellos_that_are_spoilt(engine: str) -> None:
    """The client's own TLS is spoilt before it is encrypted: the edge reads what really came."""
    for seed in range(60):
        chance = random.Random(seed)
        pair = Pair(engine, "aioquic", shake=False)
        from_client = pair.quic._crypto_streams
        spoilt = next(iter(from_client.values())).sender._buffer
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        sender = next(iter(from_client.values())).sender
        sender._pending.add(0, len(spoilt))
        sender.buffer_is_empty = False
        pair.exchange(20)
        due = pair.engine.due()
        assert due is None or due > pair.now - 1.0


@pytest.mark.parametrize("named", [True, False])
def test_a_client_gets_no_more_than_three_times_what_it_sent(engine: str, named: bool) -> None:
    """RFC 9000 section 8.1."""
    for sizes in ([1200], [1200, 1200]):
        pair = Pair(engine, "aioquic", shake=False) if named else nameless(engine)
        received = sent = 0
        for size, datagram in zip(sizes, pair.flight * 2, strict=False):
            assert len(datagram) == size
            pair.engine.receive(datagram, CLIENT, pair.now)
            received += size
            for _ in range(200):
                sent += sum(len(each) for each, _ in pair.engine.outgoing(pair.now))
                due = pair.engine.due()
                if due is None or due > pair.now + 30.0:
                    break
                assert due > pair.now - 1.0, "no busy waiting"
                pair.now = max(due, pair.now + 0.001)
                pair.engine.ring(pair.now)
            assert 0 < sent <= 3 * received


PIECES = st.sampled_from([
    head(), head(TUNNEL), head([(b"a", b"b")]), data(b""), data(b"x" * 20), CONTROL, frame(Frame.SETTINGS, b"\x06\x01"),
    frame(Frame.GOAWAY, b"\x00"), frame(0x21, b"grease"), b"\x54\x00", b"\x40\x41\x00", b"\x02", b"\x03", b"\x00",
    frame(Frame.HEADERS, b"\x00\x00\xd1"), frame(Frame.MAX_PUSH_ID, b"\x05"), varint(2**40) + varint(2**40),
]) | st.binary(max_size=30)
ACTS = st.lists(st.tuples(st.sampled_from([0, 2, 4, 6, 8, 10, 14]), PIECES, st.sampled_from("----FRSD")), max_size=25)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_frames_in_any_order(name: str, acts: list[tuple[int, bytes, str]]) -> None:
    pair = Pair(name, "qh3", bare=True)
    notes = pair.notes
    for stream, octets, act in acts:
        if pair.closed is not None:
            break
        try:
            pair.quic.send_stream_data(stream, octets, act == "F")
            if act == "R":
                pair.quic.reset_stream(stream, 0x10C)
            elif act == "S" and stream % 4 == 0:
                pair.quic.stop_stream(stream, 0x10C)
            elif act == "D":
                pair.quic.send_datagram_frame(octets)
        except (ValueError, AssertionError, RuntimeError):
            continue  # the client's library does not do that
        pair.exchange(6)
        for told in list(notes.heads):
            if told not in notes.over:
                pair.engine.respond(told, OK, end=len(octets) % 2 == 0)
                pair.engine.send(told, b"y")
    pair.exchange(20)
    if notes.end is None:
        layer = pair.engine
        live = [each for each in notes.heads if each not in notes.over]
        assert layer._requests <= len(live) + 3 and layer._unconsumed == 0  # type: ignore[attr-defined]


def test_frames_of_quic_that_are_spoilt_before_they_are_encrypted(engine: str) -> None:
    """What the edge decrypts is authentic, and nonsense."""
    for seed in range(60):
        chance = random.Random(seed)
        pair = Pair(engine, "aioquic")
        keys: Any = pair.quic._cryptos[Epoch.ONE_RTT]
        encrypt = keys.encrypt_packet

        def spoilt(header: bytes, payload: bytes, number: int, chance: Any = chance, encrypt: Any = encrypt) -> Any:
            octets = bytearray(payload)
            for _ in range(chance.choice([0, 1, 1, 2, 4])):
                octets[chance.randrange(len(octets))] = chance.randrange(256)
            if chance.random() < 0.2:
                octets[0] = chance.randrange(0x32)
            return encrypt(header, bytes(octets), number)

        keys.encrypt_packet = spoilt
        for number in range(4):
            stream = 4 * number
            pair.h3.send_headers(stream, REQUEST)
            pair.h3.send_data(stream, b"x" * 40, end_stream=number % 2 == 0)
            if number == 2:
                pair.quic.change_connection_id()
                pair.quic.send_datagram_frame(b"\x00hello")
                pair.quic.send_ping(1)
            pair.exchange(4)
            for told in list(pair.notes.heads):
                pair.engine.respond(told, OK, end=True)
            pair.exchange(4)
        due = pair.engine.due()
        assert due is None or due > pair.now - 1.0


@pytest.mark.parametrize("seed", range(4))
def test_on_a_very_bad_path_no_answer_stands_still(engine: str, seed: int) -> None:
    """Every fourth datagram is lost, in both directions: all is answered, or the client is told to come back."""
    chance = random.Random(seed)
    pair = Pair(engine, "aioquic")
    lossy = True

    def lost() -> bool:
        return lossy and chance.random() < 0.25

    outgoing = pair.engine.outgoing
    pair.engine.outgoing = lambda now: [each for each in outgoing(now) if not lost()]  # type: ignore[method-assign]
    pair.to_engine = lambda datagram: [] if lost() else [datagram]
    asked = []
    for _ in range(60):
        if pair.closed is None and pair.notes.end is None:
            asked.append(int(pair.quic.get_next_available_stream_id()))
            pair.h3.send_headers(asked[-1], REQUEST, end_stream=True)
        pair.exchange(3)
        for stream in [each for each in pair.notes.heads if each not in pair.notes.over]:
            pair.engine.respond(stream, OK, end=False)
            pair.engine.send(stream, b"x" * chance.choice([1, 1000, 3000]))
            pair.engine.finish(stream, [])
    lossy = False
    for _ in range(30):
        pair.advance(1.0)
        pair.exchange(30)
        for stream in [each for each in pair.notes.heads if each not in pair.notes.over]:
            pair.engine.respond(stream, OK, end=True)
    if pair.notes.end is None:
        assert all(pair.answer(stream)[2] for stream in asked)
    else:
        assert pair.notes.end[0] == 0 and pair.closed == 0x102 and engine == "qh3"
