"""Where the client's own key of a session stands."""

import base64

import orjson
import pytest

from sbc.core.keys import LONGEST_KEY, LONGEST_MINTED, field_of, may_be_minted, minted, route_key, with_key
from sbc.core.seal import KEY_BYTES, NONCE_BYTES, Seal
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.ids import PrincipalId
from sbc.model.route import KeySource, SessionKey

CLAIM = SessionKey(KeySource.CLAIM, "sub")
HEADER, COOKIE = SessionKey(KeySource.HEADER, "chat-id"), SessionKey(KeySource.COOKIE, "chat")


def request(target: str = "/", *fields: tuple[bytes, bytes]) -> Request:
    return Request(b"POST", target.encode(), b"h", list(fields))


def token(claims: bytes) -> bytes:
    return b"eyJhbGciOiJub25lIn0." + base64.urlsafe_b64encode(claims).rstrip(b"=") + b".c2ln"


@pytest.mark.parametrize(("key", "asked", "body", "found"), [
    (SessionKey(), request("/?chat=1", (b"chat-id", b"1")), None, None),
    (HEADER, request("/", (b"chat-id", b"a"), (b"chat-id", b"b")), None, "a"),
    (HEADER, request("/", (b"chat-id", b"")), None, None),
    (HEADER, request(), None, None),
    (COOKIE, request("/", (b"cookie", b"chats=x; chat=a=b;c=d")), None, "a=b"),
    (COOKIE, request("/", (b"cookie", b"x=y"), (b"cookie", b"chat=z")), None, "z"),
    (COOKIE, request("/", (b"cookie", b"chat")), None, None),
    (SessionKey(KeySource.QUERY, "chat"), request("/?a=b&chat=x%20y&chat=z"), None, "x y"),
    (SessionKey(KeySource.QUERY, "chat"), request("/chat=x"), None, None),
    (SessionKey(KeySource.PATH, "1"), request("/chats/abc/def?x"), None, "abc"),
    (SessionKey(KeySource.PATH, "3"), request("/chats/abc"), None, None),
    (CLAIM, request("/", (b"authorization", b"Bearer " + token(b'{"sub":"me"}'))), None, "me"),
    (CLAIM, request("/", (b"authorization", b"bearer  " + token(b'{"sub":7}'))), None, "7"),
    (SessionKey(KeySource.CLAIM, "ctx.id"), request("/", (b"authorization", b"Bearer " + token(b'{"ctx":{"id":"x"}}'))),
     None, "x"),
    (CLAIM, request("/", (b"authorization", b"Basic " + token(b'{"sub":"me"}'))), None, None),
    (CLAIM, request("/", (b"authorization", b"Bearer a.b")), None, None),
    (CLAIM, request("/", (b"authorization", b"Bearer a.b.c.d.e")), None, None),
    (CLAIM, request("/", (b"authorization", b"Bearer a.\xff.c")), None, None),
    (CLAIM, request("/", (b"authorization", b"Bearer a.a.c")), None, None),
    (CLAIM, request(), None, None),
    (SessionKey(KeySource.BODY, "id"), request(), b'{"id":"x"}', "x"),
    (SessionKey(KeySource.BODY, "id"), request(), None, None),
])
def test_keys(key: SessionKey, asked: Request, body: bytes | None, found: str | None) -> None:
    assert route_key(asked, key, body) == found


def test_a_key_has_a_bound() -> None:
    assert route_key(request("/", (b"chat-id", b"x" * LONGEST_KEY)), HEADER, None)
    with pytest.raises(Refusal) as refused:
        route_key(request("/", (b"chat-id", b"x" * (LONGEST_KEY + 1))), HEADER, None)
    assert refused.value.status == 400 and str(LONGEST_KEY) in refused.value.detail


def test_a_key_that_could_not_come_back_sealed_is_left_as_it_is() -> None:
    seal, longest = Seal({"key-id": b"k" * KEY_BYTES}), "x" * LONGEST_MINTED
    assert minted([(b"chat-id", longest.encode())], HEADER) == longest
    assert len(seal.seal_key(longest, PrincipalId("p"), b"n" * NONCE_BYTES)) <= LONGEST_KEY
    assert minted([(b"chat-id", longest.encode() + b"x")], HEADER) is None


@pytest.mark.parametrize(("body", "path", "found"), [
    (b'{"a":{"b":"x"}}', "a.b", "x"), (b'{"a":5}', "a", "5"), (b'{"a":"5"}', "a", "5"), (b'{"a":true}', "a", None),
    (b'{"a":null}', "a", None), (b'{"a":["x"]}', "a.0", None), (b'{"a":"x"}', "a.b", None), (b"[1]", "a", None),
    (b"{", "a", None), (b"", "a", None), (b"\xff", "a", None), (b'{"a":1.5}', "a", None), (b'{"a":""}', "a", ""),
    (b"[" * 100_000, "a", None),
])
def test_fields_of_a_body(body: bytes, path: str, found: str | None) -> None:
    assert field_of(body, path) == found


def test_which_keys_a_node_can_make() -> None:
    assert [source for source in KeySource if may_be_minted(SessionKey(source, "0"))] == [
        KeySource.HEADER, KeySource.COOKIE, KeySource.BODY]


def test_a_key_that_a_node_makes_is_found_and_replaced_towards_the_client() -> None:
    answer: Fields = [(b"chat-id", b"n7"), (b"set-cookie", b"other=n7"), (b"set-cookie", b"chat=n7; Path=/; HttpOnly")]
    assert (minted(answer, HEADER), minted(answer, COOKIE)) == ("n7", "n7")
    assert minted(answer, SessionKey(KeySource.QUERY, "chat-id")) is None
    assert with_key(answer, HEADER, "n7", "sealed") == [(b"chat-id", b"sealed"), *answer[1:]]
    assert with_key(answer, COOKIE, "n7", "sealed") == [*answer[:2], (b"set-cookie", b"chat=sealed; Path=/; HttpOnly")]
    assert with_key(answer, CLAIM, "n7", "sealed") == answer


def test_a_key_of_the_client_is_replaced_towards_the_node() -> None:
    asked: Fields = [(b"cookie", b"a=b; chat=sealed; c=d"), (b"chat-id", b"sealed"), (b"chat-id", b"x")]
    assert with_key(asked, COOKIE, "sealed", "n7")[0] == (b"cookie", b"a=b; chat=n7; c=d")
    assert with_key(asked, HEADER, "sealed", "n7")[1:] == [(b"chat-id", b"n7"), (b"chat-id", b"x")]


def test_cookies_that_only_end_alike_are_left_alone() -> None:
    asked: Fields = [(b"cookie", b"wechat=sealed; chat=sealed")]
    assert with_key(asked, COOKIE, "sealed", "n7") == [(b"cookie", b"wechat=sealed; chat=n7")]
    longer: Fields = [(b"cookie", b"chat=sealed-not; chat=sealed")]
    assert with_key(longer, COOKIE, "sealed", "n7") == [(b"cookie", b"chat=sealed-not; chat=n7")]


def test_numbers_that_json_does_not_tell_apart_from_text() -> None:
    assert field_of(orjson.dumps({"id": 2**63}), "id") == str(2**63)
