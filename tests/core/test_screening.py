"""Hellos of WebSockets: judged, read and shown to nodes by the same rules as requests."""

import base64

import pytest

from sbc.core.screening import as_request, check_head, check_target, claims, node_fields, node_target
from sbc.model.errors import Refusal
from sbc.model.identity import CertificateProof, Identity
from sbc.model.ids import AgentName, PrincipalId
from sbc.model.policy import Limits
from sbc.model.route import Claims, Hello, KeySource, Route, SessionKey


def hello(target: str = "/", *headers: tuple[str, str], client: str = "192.0.2.1", via: tuple[str, ...] = ()) -> Hello:
    fields = [(name.encode(), value.encode()) for name, value in headers]
    return Hello(client, "edge.test:1", target, [(b"host", b"edge.test:1"), *fields], via=via)


def wish_of(said: Hello, route: Route, identity: Identity | None = None) -> Claims:
    return claims(said, as_request(said), route, identity)


def route(source: KeySource, name: str) -> Route:
    return Route(AgentName("a"), "opaque", "default", session=SessionKey(source, name))


@pytest.mark.parametrize("target", ["/", "/a?b=/../c", "/a.b/c..d", "/%7Ea", "/a%2ec"])
def test_targets_that_are_taken(target: str) -> None:
    check_target(target)


@pytest.mark.parametrize("target", [
    "", "a", "/a#b", "/a b", "/a\x7f", "/é", "/a%2fb", "/a%5Cb", "/a%00", "/a\\b", "/./a", "/a/..", "/%2e%2E/a",
])
def test_targets_that_two_readers_might_take_for_different_ones(target: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_target(target)
    assert refused.value.status == 400


def test_the_head_is_held_against_the_policy() -> None:
    limits = Limits(head=100, headers=2)
    check_head(hello("/", ("a", "b")), 100, limits)
    for bad, octets, status in ((hello(), 101, 431), (hello("/", ("a", ""), ("b", "")), 50, 431),
                                (hello("/", ("x_forwarded_for", "")), 50, 400), (hello("/", ("a", "\x01")), 50, 400)):
        with pytest.raises(Refusal) as refused:
            check_head(bad, octets, limits)
        assert refused.value.status == status


def test_who_asks_and_for_which_session() -> None:
    wish = wish_of(hello("/?session=t&received=5"), route(KeySource.NONE, ""))
    assert (wish.principal, wish.token, wish.received, wish.key) == ("address:192.0.2.1", "t", 5, None)
    token = "e30." + base64.urlsafe_b64encode(b'{"sub":"me"}').decode().rstrip("=") + ".c2ln"
    for source, name, found in ((KeySource.HEADER, "chat-id", "h"), (KeySource.COOKIE, "chat", "c"),
                                (KeySource.QUERY, "chat", "q"), (KeySource.PATH, "1", "b"),
                                (KeySource.CLAIM, "sub", "me"), (KeySource.BODY, "id", None)):  # fmt: skip
        asked = hello("/a/b?chat=q", ("chat-id", "h"), ("cookie", "chat=c"), ("authorization", f"Bearer {token}"))
        assert wish_of(asked, route(source, name)).key == found


def test_who_is_proven_to_ask() -> None:
    proven = Identity(PrincipalId("key:p/acme"), 5.0, CertificateProof())
    wish = wish_of(hello("/"), route(KeySource.NONE, ""), proven)
    assert (wish.principal, wish.good_until) == ("key:p/acme", 5.0)


def test_a_key_is_not_endless() -> None:
    with pytest.raises(Refusal):
        wish_of(hello("/", ("chat-id", "x" * 513)), route(KeySource.HEADER, "chat-id"))
    for bad in ("-1", "x", "٣", "9" * 16):
        with pytest.raises(Refusal):
            wish_of(hello("/", ("session-received", bad)), route(KeySource.NONE, ""))


def test_what_a_node_sees() -> None:
    asked = hello("/a?session=t&x=1", ("upgrade", "websocket"), ("sec-websocket-key", "k"), ("session-id", "t"),
                  ("connection", "Upgrade, X-Hop"), ("x-hop", "1"), ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
                  ("origin", "https://page"), via=("10.0.0.1",))  # fmt: skip
    assert node_target(asked) == "/a?x=1"
    assert node_fields(asked) == [
        (b"host", b"edge.test:1"), (b"origin", b"https://page"),
        (b"forwarded", b'for=192.0.2.1;proto=http;host="edge.test:1", for=10.0.0.1'),
        (b"x-forwarded-for", b"192.0.2.1, 10.0.0.1"), (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"edge.test:1"),
    ]  # fmt: skip
