"""What becomes of header fields on their way through the edge."""

import pytest

from sbc.core.forwarding import (
    check_fields,
    client_fields,
    client_trailers,
    node_fields,
    node_target,
    node_trailers,
)
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request

TRACE = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def fields(*lines: str) -> Fields:
    return [(name.encode(), value.strip().encode("latin-1"))
            for name, _, value in (line.partition(":") for line in lines)]


def request(*lines: str, client: str = "192.0.2.1", host: bytes = b"edge.test", via: tuple[str, ...] = (),
            secure: bool = False) -> Request:  # fmt: skip
    return Request(b"GET", b"/", host, fields(*lines), client=client, via=via, secure=secure)


def to_node(asked: Request) -> dict[bytes, bytes]:
    """Without what the edge says of the client."""
    ours = (b"forwarded", b"x-forwarded-")
    return {name: value for name, value in node_fields(asked) if not name.startswith(ours)}


def told(asked: Request) -> dict[str, str]:
    ours = (b"forwarded", b"x-forwarded-")
    found = [(name.decode(), value.decode()) for name, value in node_fields(asked) if name.startswith(ours)]
    assert len(found) == len(dict(found))
    return dict(found)


# What is refused.


@pytest.mark.parametrize("name", [
    "x_forwarded_for", "x-forwarded_for", "x_forwarded-proto", "session_id", "session_epoch", "x_real_ip",
])
def test_names_that_look_like_ours_are_refused(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_fields([(name.encode(), b"1")], 10)
    assert (refused.value.status, refused.value.code) == (400, "header_look_alike")


@pytest.mark.parametrize("name", ["x_request_id", "my_session_id", "session", "x-forwarded-for", "_", "a_b-c"])
def test_other_names_with_an_underscore_are_not(name: str) -> None:
    check_fields([(name.encode(), b"1")], 10)


@pytest.mark.parametrize("field", [
    (b"a", b"x\ry"), (b"a", b"x\ny"), (b"a", b"x\0y"), (b"a", b"x\x01"), (b"a", b"\x7f"), (b"a", b"\x1b[31m"),
    (b"a\r\nb", b"x"), (b"a b", b"x"), (b"a:", b"x"), (b"A", b"x"), (b"a\x80", b"x"), (b"a(b", b"x"), (b"a\0", b""),
])
def test_characters_that_have_no_place_there_are_refused(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(Refusal) as refused:
        check_fields([(b"fine", b"x"), field, (b"fine-too", b"")], 10)
    assert (refused.value.status, refused.value.code) == (400, "bad_header")


def test_tabs_and_bytes_beyond_ascii_are_values_like_others() -> None:
    check_fields([(b"a", b"x\ty"), (b"b", "é".encode()), (b"!#$%&'*+-.^_`|~09az", b"")], 3)


def test_no_more_fields_than_the_policy_allows() -> None:
    check_fields([(b"a", b"")] * 8, 8)
    with pytest.raises(Refusal) as refused:
        check_fields([(b"a", b"")] * 9, 8)
    assert refused.value.status == 431


# To nodes.


def test_what_belongs_to_the_connection_stays_behind() -> None:
    asked = request("connection: x-hop, Close", "x-hop: 1", "keep-alive: 5", "te: gzip", "trailer: x", "upgrade: h2c",
                    "http2-settings: x", "proxy-authorization: x", "proxy-connection: x", "proxy-authenticate: x",
                    "transfer-encoding: x", "content-length: 5", "expect: 100-continue", "host: a", "accept: */*")
    assert to_node(asked) == {b"accept": b"*/*"}


def test_grpc_may_ask_for_trailers() -> None:
    assert to_node(request("te: trailers", "connection: te")) == {b"te": b"trailers"}


def test_nobody_but_the_edge_says_what_only_the_edge_may_say() -> None:
    asked = request("session-id: x", "session-epoch: 9", "session-whatever: x", "x-forwarded-for: 6.6.6.6",
                    "x-forwarded-user: root", "x-real-ip: 6.6.6.6", "forwarded: for=6.6.6.6", "x-mine: 1")
    assert to_node(asked) == {b"x-mine": b"1"}
    assert told(asked) == {
        "forwarded": "for=192.0.2.1;proto=http;host=edge.test", "x-forwarded-for": "192.0.2.1",
        "x-forwarded-proto": "http", "x-forwarded-host": "edge.test"}


def test_connection_takes_nothing_off_that_the_edge_says() -> None:
    assert told(request("connection: x-forwarded-for, forwarded"))["x-forwarded-for"] == "192.0.2.1"


def test_the_chain_of_trusted_proxies_goes_on() -> None:
    asked = request("x-forwarded-for: 6.6.6.6, 2001:db8::1, 10.0.0.1", client="2001:db8::1", secure=True,
                    host=b"edge.test:8443", via=("10.0.0.1", "10.0.0.2"))
    assert told(asked) == {
        "forwarded": 'for="[2001:db8::1]";proto=https;host="edge.test:8443", for=10.0.0.1, for=10.0.0.2',
        "x-forwarded-for": "2001:db8::1, 10.0.0.1, 10.0.0.2", "x-forwarded-proto": "https",
        "x-forwarded-host": "edge.test:8443"}


def test_of_a_host_that_was_not_said_nothing_is_told() -> None:
    assert told(request(host=b"")) == {
        "forwarded": "for=192.0.2.1;proto=http", "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "http"}


@pytest.mark.parametrize("value", [TRACE[1], b"00-0-0-01", b"garbage", b""])
def test_traceparent_is_carried_on_as_it_is(value: bytes) -> None:
    asked = request("accept: a")
    asked.fields += [(b"traceparent", value), (b"tracestate", b"a=1")]
    assert to_node(asked)[b"traceparent"] == value
    assert to_node(asked)[b"tracestate"] == b"a=1"
    assert client_fields([(b"traceparent", value)], frozenset()) == [(b"traceparent", value)]


def test_no_traceparent_is_made_up() -> None:
    assert to_node(request("accept: a")) == {b"accept": b"a"}


# To clients.


def test_a_client_sees_nothing_of_the_nodes_connection_or_of_its_make() -> None:
    answer = fields("server: x/1", "x-powered-by: y", "connection: keep-alive, x-hop", "x-hop: 1", "keep-alive: 5",
                    "transfer-encoding: chunked", "session-id: plain", "upgrade: h2c", "content-type: a/b", "etag: e",
                    'alt-svc: h3="10.0.0.7:443"')
    assert client_fields(answer, frozenset({b"server", b"x-powered-by"})) == fields("content-type: a/b", "etag: e")
    assert (b"server", b"x/1") in client_fields(answer, frozenset())


# Behind a message.


def test_trailers_carry_nothing_that_belongs_before_the_body() -> None:
    said = fields("grpc-status: 0", "grpc-message: fine", "content-length: 5", "transfer-encoding: chunked", "host: b",
                  "connection: close", "session-id: x", "x-forwarded-for: 6.6.6.6", "forwarded: x", "cookie: a=b",
                  "authorization: x", "content-type: a/b", "set-cookie: a=b", "trailer: x", "server: x",
                  "alt-svc: clear")
    grpc = fields("grpc-status: 0", "grpc-message: fine")
    assert node_trailers(said) == [*grpc, *fields("server: x")]
    assert client_trailers(said, frozenset({b"server"})) == grpc
    assert client_trailers([], frozenset({b"server"})) == []


# The target.


@pytest.mark.parametrize(("sent", "seen"), [
    ("/a", "/a"), ("/a?b=c", "/a?b=c"), ("/a?", "/a?"), ("/a?session=t", "/a"), ("/a?x=1&received=5&y=2", "/a?x=1&y=2"),
    ("/a?access_token=t&x", "/a?x"), ("/a?%73ession=t&x=%73", "/a?x=%73"), ("/a?sessions=1", "/a?sessions=1"),
    ("/session=t", "/session=t"), ("*", "*"),
])
def test_parameters_for_the_edge_go_no_further(sent: str, seen: str) -> None:
    assert node_target(sent.encode()) == seen.encode()


def test_fields_of_a_class_of_their_own() -> None:
    # An HTTP/2 engine marks what must never be indexed (RFC 7541 section 7.1.3) by a tuple of another class.
    class NeverIndexed(tuple[bytes, bytes]):
        __slots__ = ()

    fields = [(b"accept", b"*/*"), NeverIndexed((b"authorization", b"Bearer x"))]
    check_fields(fields, 10)
    request = Request(b"GET", b"/", b"h", fields, client="192.0.2.1")
    assert (b"authorization", b"Bearer x") in node_fields(request)
