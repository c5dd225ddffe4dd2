"""Both eras on one route: who is who, and what is answered without any node."""

from typing import Any

import orjson
import pytest

from sbc.model.http import Fields
from sbc.protocols.mcp import Mcp
from sbc.protocols.mcp.listen import ListenReading
from sbc.protocols.mcp.memory import LONGEST_RECORDED, Memory
from sbc.protocols.mcp.posts import PostReading
from sbc.protocols.mcp.sessions import SessionReading, StreamReading
from sbc.protocols.mcp.stateless import StatelessReading
from sbc.protocols.protocol import Reading, Rejection
from tests.protocols.mcp.shapes import INITIALIZE, TOKEN, V2025, V2026, call, modern, request, result, told

LISTEN = call(1, "subscriptions/listen", notifications={})


@pytest.mark.parametrize(("asked", "kind"), [
    (request(INITIALIZE), PostReading), (request(call(1, "ping"), session=TOKEN, version=V2025), PostReading),
    (request([call(1, "ping")], session=TOKEN), PostReading), (request(method=b"GET", session=TOKEN), StreamReading),
    (request(method=b"DELETE", session=TOKEN), SessionReading), (request(method=b"OPTIONS"), SessionReading),
    (modern(call(1, "server/discover")), StatelessReading), (modern(LISTEN), ListenReading),
    (request(told("notifications/initialized"), version=V2026), StatelessReading),
    (request(method=b"OPTIONS", version=V2026), Reading),
    (request(call(1, "server/discover", _meta={}), version=None), PostReading),
])  # fmt: skip
def test_what_a_request_is(asked: Any, kind: type[Reading]) -> None:
    assert type(Mcp().read(*asked)) is kind


def rejected(asked: Any) -> tuple[int, int, Any]:
    with pytest.raises(Rejection) as raised:
        Mcp().read(*asked)
    error = orjson.loads(raised.value.body)
    assert raised.value.response.first(b"content-type") == b"application/json"
    assert raised.value.response.length == len(raised.value.body)
    return raised.value.status, error["error"]["code"], error["id"]


@pytest.mark.parametrize(("asked", "status", "code", "identity"), [
    (request(b"{", session=TOKEN), 400, -32700, None),
    (request(b"", session=TOKEN), 400, -32700, None),
    (request(None), 400, -32700, None),
    (request(b"{}"), 400, -32600, None),
    (request(b"\x1f\x8b", more=[(b"content-encoding", b"gzip")]), 415, -32600, None),
    (request(call(1, "ping"), session=b"a b"), 400, -32600, None),
    (request(call(1, "ping"), session=b""), 400, -32600, None),
    (request(call(1, "ping"), session=TOKEN, more=[(b"mcp-session-id", b"other")]), 400, -32600, None),
    (request(call(1, "ping"), version=V2025, more=[(b"mcp-protocol-version", V2026)]), 400, -32600, None),
    (request({**INITIALIZE, "params": {"x": "y" * LONGEST_RECORDED}}), 413, -32600, 0),
    (request(method=b"GET", version=V2026), 405, -32600, None),
    (request(method=b"DELETE", version=V2026, session=TOKEN), 405, -32600, None),
    (request([call(1, "ping")], version=V2026), 400, -32600, None),
    (request(result(1), version=V2026), 400, -32600, None),
    (request(call(7, "tools/call", name="a"), version=V2026), 400, -32020, 7),
    (modern(call(7, "tools/call", name="a"), b"b"), 400, -32020, 7),
    (modern(call(7, "tools/call", name="a"), b"a", more=[(b"mcp-name", b"a")]), 400, -32020, 7),
    (modern(call("x", "tools/list"), more=[(b"mcp-method", b"tools/list")]), 400, -32020, "x"),
])  # fmt: skip
def test_what_no_node_is_asked(asked: Any, status: int, code: int, identity: Any) -> None:
    assert rejected(asked) == (status, code, identity)


def test_405_says_what_is_allowed() -> None:
    with pytest.raises(Rejection) as raised:
        Mcp().read(*request(method=b"GET", version=V2026))
    assert raised.value.response.first(b"allow") == b"POST"


def test_an_unknown_revision_is_for_the_node_to_refuse() -> None:
    body = call(1, "server/discover", _meta={"io.modelcontextprotocol/protocolVersion": "2031-01-01"})
    fields: Fields = [(b"mcp-method", b"server/discover")]
    assert isinstance(Mcp().read(*request(body, version=b"2031-01-01", more=fields)), StatelessReading)


def test_bodies_are_wanted_of_post_alone() -> None:
    protocol = Mcp()
    assert protocol.wants_body(request(b"{}")[0]) and not protocol.wants_body(request(method=b"GET")[0])
    assert isinstance(protocol.converse(), Memory) and protocol.turns
