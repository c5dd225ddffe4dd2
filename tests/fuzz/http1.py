"""HTTP/1.x: request heads (also against h11), bodies in chunks, the PROXY protocol, answers of nodes."""

import h11

from sbc.model.errors import Refusal
from sbc.nodes.answer import AnswerReader
from sbc.wire import heads, proxy_protocol
from sbc.wire.bodies import Chunks
from sbc.wire.proxy_protocol import Malformed
from sbc.wire.request_head import RequestReader
from tests.fuzz.subject import Subject, in_pieces, salt_of

GET = b"GET /a?b HTTP/1.1\r\nHost: edge.test\r\nX-One: 1\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
OLD = b"GET http://edge.test/ HTTP/1.0\r\nHost: edge.test\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc"
WEBSOCKET = (b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"


def _head(data: bytes) -> tuple[int, RequestReader] | str:
    """Where the first head ends, and what it says; the code of its refusal."""
    reader = RequestReader(8192, 50)
    try:
        return reader.read(data, 0), reader
    except Refusal as refused:
        assert 400 <= refused.status < 600
        return refused.code


def _head_cut(data: bytes) -> tuple[int, RequestReader] | str:
    reader, before = RequestReader(8192, 50), 0
    for piece in in_pieces(data, salt_of(data)):
        try:
            end = reader.read(piece, 0)
        except Refusal as refused:
            return refused.code
        if end >= 0:
            return before + end, reader
        before += len(piece)
    return -1, reader


def request_head(data: bytes) -> None:
    whole, cut = _head(data), _head_cut(data)
    if isinstance(whole, str) or isinstance(cut, str):
        # What is wrong in two ways may be told of by either, but it is refused however it is cut.
        assert isinstance(whole, str) and isinstance(cut, str), (whole, cut)
        return
    assert whole[0] == cut[0]
    if whole[0] < 0:
        return
    ours, theirs = whole[1], _by_h11(data[: whole[0]])
    request = ours.request
    assert (request.method, request.target) == (cut[1].request.method, cut[1].request.target)
    assert ours.raw == cut[1].raw
    # Whatever is let in has to mean the same to others: else a node reads what the edge has not seen.
    assert theirs.method == request.method
    read = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in ours.raw]
    assert [(bytes(name), bytes(value)) for name, value in theirs.headers] == read
    named = {bytes(name): bytes(value) for name, value in theirs.headers}
    assert ours.chunked == (b"transfer-encoding" in named)
    assert (request.length is not None) == (b"content-length" in named)
    assert not (ours.chunked and request.length is not None)


def _by_h11(head: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(head.removeprefix(b"\r\n"))
    event = connection.next_event()
    assert isinstance(event, h11.Request), event
    return event


def bodies(data: bytes) -> None:
    def read(pieces: list[bytes]) -> tuple[bytes, bool] | None:
        body, got = Chunks(), b""
        for piece in pieces:
            at = 0
            while at < len(piece) and not body.whole:
                try:
                    part, end = body.read(piece, at)
                except Refusal as refused:
                    assert refused.status == 400
                    return None
                assert end > at
                got, at = got + part, end
        return got, body.whole
    assert read([data]) == read(list(in_pieces(data, salt_of(data))))


def proxy(data: bytes) -> None:
    proxy_protocol.begins(data)
    try:
        found = proxy_protocol.read(data)
    except Malformed:
        return
    if found is not None:
        assert found.octets <= len(data)
        assert proxy_protocol.read(data[: found.octets]) == found
    for end in range(0, len(data), 7):  # a beginning of what is right is never wrong
        proxy_protocol.read(data[:end])


def answer(data: bytes) -> None:
    def read(pieces: list[bytes]) -> tuple[object, ...]:
        reader = AnswerReader()
        for piece in pieces:
            if reader.fault or reader.complete:
                break
            reader.read(piece)
        response = reader.response
        return bool(reader.fault), reader.complete, response and (response.status, response.fields), reader.trailers
    whole, cut = read([data]), read(list(in_pieces(data, salt_of(data))))
    if not whole[0] and not cut[0]:
        assert whole == cut


def head_lines(data: bytes) -> None:
    heads.head_end(data, 0)
    heads.request_line(data)
    heads.status_line(data)
    for name, value in heads.fields_of(data, 0) or ():
        assert name and name == name.lower() and not {0, 10, 13} & set(name + value)


SUBJECTS = (
    Subject("request_head", request_head, (GET, POST, OLD, WEBSOCKET)),
    Subject("bodies", bodies, (b"3\r\nabc\r\n0\r\n\r\n", b'2;a="b"\r\nab\r\n0\r\nx-sum: 1\r\n\r\n')),
    Subject("proxy", proxy, (
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET", b"PROXY UNKNOWN\r\n", b"PROXY TCP6 ::1 ::1 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\0\2\1\xc0\0\2\2\0\1\0\2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    )),
    Subject("answer", answer, (
        CHUNKED, b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    )),
    Subject("head_lines", head_lines, (GET, CHUNKED, GET.partition(b"\r\n")[2])),
)  # fmt: skip
