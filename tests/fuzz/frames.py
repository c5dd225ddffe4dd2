"""Binary protocols: WebSocket with compression, HTTP/2 (budget, both engines), HTTP/3 (both engines), QUIC's heads."""

import zlib
from contextlib import suppress
from functools import partial

from sbc.core.frames import Fault, payload_of, read_close
from sbc.wire.http2.budget import CYCLE_OCTETS, Budget
from sbc.wire.http2.engine import Role, Terms
from sbc.wire.http2.factory import make_engine
from sbc.wire.http3 import invariants
from sbc.wire.http3.capsules import Capsules, close_capsule
from sbc.wire.http3.fields import Coder, Malformed, TooLarge, check_request, check_trailers
from sbc.wire.http3.frames import Fault as H3Fault
from sbc.wire.http3.frames import frame, read_settings, settings_frame
from tests.core.twins import TWINS
from tests.core.wire import frame as ws_frame
from tests.fuzz.subject import Subject, in_pieces, salt_of
from tests.hostile.test_http2_floods import HEAD, OPEN, request
from tests.support.h2_client import frame as h2_frame
from tests.wire.http2.pair import Notes
from tests.wire.http3.pair import Pair
from tests.wire.http3.test_layer import CONTROL, block, head

LIMIT = 4096
TURNS = 10
"""Inputs on one connection of HTTP/3."""
_PAIRS: dict[str, tuple[Pair, int]] = {}


def _deflated(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def websocket(data: bytes) -> None:
    """Whatever the twin, and however it is cut: the same passes, and nothing that is broken."""
    results = []
    for twin in TWINS:
        for pieces in ([data[1:]], list(in_pieces(data[1:], salt_of(data)))):
            relay = twin.Relay(twin.Journal(1 << 20), twin.Tally(), masked=bool(data[:1] < b"\x80"), limit=LIMIT)
            relay.restart(deflate=bool(data[:1] and data[0] & 1))
            out = b""
            for piece in pieces:
                if relay.fault is not None:
                    break
                out += relay.admit(piece)
                while relay.stopped and relay.fault is None:  # others had their turn
                    out += relay.admit(piece, relay.stopped)
            results.append((out, relay.fault and relay.fault.code, relay.count, relay.notices))
            assert relay.journal.octets <= (1 << 20) + 2 * LIMIT
    assert all(found == results[0] for found in results), results


def payloads(data: bytes) -> None:
    for rsv in (0, 0x40):
        with suppress(Fault):
            _, payload = payload_of(ws_frame(1, data[:LIMIT], masked=False, rsv=rsv), LIMIT)
            assert len(payload) <= LIMIT


def close_frames(data: bytes) -> None:
    try:
        code, reason = read_close(data[:125])
    except Fault:
        return
    reason.encode()
    assert code == 1005 or 1000 <= code < 5000


def http2_budget(data: bytes) -> None:
    def spent(step: int) -> tuple[str, int]:
        budget, at = Budget(24, 8192, 0.0), 0
        while at < len(data):
            done = budget.charge(data[at : at + step], 0.0)
            assert 0 < done <= CYCLE_OCTETS
            at += done
        return budget.fault, budget.streams
    assert bool(spent(len(data))[0]) == bool(spent(13)[0])


def _http2(engine: str, data: bytes) -> None:
    notes = Notes()
    served = notes.engine = make_engine(engine, Role.SERVER, notes, Terms())
    for piece in (OPEN, *in_pieces(data, salt_of(data))):
        if notes.end is not None:
            break
        served.receive(piece)
        served.outgoing()
    for fields in notes.heads.values():
        for name, value in fields:
            assert not {0, 10, 13} & set(name + value)


def _http3(engine: str, data: bytes) -> None:
    """The bytes as streams of a client: each piece begins with a stream's number."""
    pair, turn = _PAIRS.pop(engine, (None, 0))
    if pair is None or turn > TURNS:
        pair, turn = Pair(engine, "aioquic", bare=True), 0
        pair.raw(2, CONTROL)
    ended = set()
    for piece in data.split(b"\xfe\xfd"):
        place = (2, 8 * turn, 8 * turn + 4, 8 * turn + 6, 8 * turn + 10)[piece[0] % 5] if piece else 2
        over = place in ended or pair.quic._stream_is_discarded(place) or pair.closed is not None
        if piece and not over and pair.notes.end is None:
            end = bool(piece[0] & 0x80) and place != 2
            pair.raw(place, piece[1:], end=end)
            ended |= {place} if end else set()
    if pair.notes.end is None and pair.closed is None:
        _PAIRS[engine] = pair, turn + 1


def qpack(data: bytes) -> None:
    coder = Coder(8192)
    try:
        fields = coder.decode(0, data)
    except (H3Fault, TooLarge):
        return
    for check in (check_request, check_trailers):
        with suppress(Malformed):
            check(fields)
    for feed in (coder.instructed, coder.acknowledged):
        with suppress(H3Fault):
            feed(data)


def capsules(data: bytes) -> None:
    def read(pieces: list[bytes]) -> object:
        reader = Capsules()
        for piece in pieces:
            try:
                found = reader.feed(piece)
            except H3Fault as fault:
                return fault.code
            if found is not None:
                return found
        return None
    assert read([data]) == read(list(in_pieces(data, salt_of(data))))
    with suppress(H3Fault):
        read_settings(data)


def quic_head(data: bytes) -> None:
    header = invariants.read_header(data)
    if header is not None:
        assert len(header.destination) <= 255 and len(header.source) <= 255
        assert len(invariants.version_negotiation(header)) < 1200


SUBJECTS = (
    Subject("websocket", websocket, (
        b"\0" + ws_frame(1, b"hello", masked=True), b"\1" + ws_frame(2, _deflated(b"x" * 99), masked=True, rsv=0x40),
        b"\0" + b"".join(ws_frame(kind, b"a", masked=True, fin=kind > 1) for kind in (1, 9, 0)),
        b"\x80" + ws_frame(1, "h\u00e9".encode(), masked=False) + ws_frame(8, b"\x03\xe8bye", masked=False),
    )),
    Subject("payloads", payloads, (_deflated(b"a" * 500), _deflated(b"x" * 9000))),
    Subject("close_frames", close_frames, (b"\x03\xe8", b"\x0f\xa0bye", b"")),
    Subject("http2_budget", http2_budget, (OPEN + request(1) + h2_frame(6, 0, 0, bytes(8)), OPEN)),
    Subject("http2_ngh2", partial(_http2, "ngh2"), (request(1), h2_frame(1, 1, 1, HEAD) + h2_frame(9, 4, 1))),
    Subject("http2_h2", partial(_http2, "h2"), (request(1), h2_frame(1, 1, 1, HEAD) + h2_frame(9, 4, 1))),
    Subject("http3_qh3", partial(_http3, "qh3"), (b"\1" + head(), b"\x83" + head() + b"\xfe\xfd\0\x04\0")),
    Subject("http3_aioquic", partial(_http3, "aioquic"), (b"\1" + head(), b"\3\x21x", b"\4\x02\x3f\xe1\x1f")),
    Subject("qpack", qpack, (block([(b":method", b"GET"), (b"x-y", b"z")]), b"\0\0\xd1\x51\x01/")),
    Subject("capsules", capsules, (close_capsule(7, "bye"), settings_frame({1: 0, 6: 4096, 8: 1}), frame(0x21, b"x"))),
    Subject("quic_head", quic_head, (
        b"\xc0\0\0\0\1\x08" + bytes(8) + b"\x08" + bytes(8) + b"\0\x44\x9e" + bytes(40), b"\x40" + bytes(20),
        b"\xc0\x1a\x2a\x3a\x4a\x04" + bytes(4) + b"\0",
    )),
)  # fmt: skip
