import json

import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import a2a_pb2 as a2a
from a2a.utils.signing import create_agent_card_signer, create_signature_verifier

from sbc.model.http import Request, Response
from sbc.protocols.a2a import A2A
from sbc.protocols.protocol import Conversation
from tests.protocols.a2a.shapes import get, post, rpc

PATH = "/agent/.well-known/agent-card.json"
TALK = Conversation()


def card(*urls: tuple[str, str, str]) -> a2a.AgentCard:
    return a2a.AgentCard(
        name="tutor", description="teaches", version="1", default_input_modes=["text/plain"],
        default_output_modes=["text/plain"], documentation_url="http://docs.example/", icon_url="http://node:1/i.png",
        provider=a2a.AgentProvider(organization="x", url="http://node:9000/"),
        capabilities=a2a.AgentCapabilities(streaming=True), skills=[a2a.AgentSkill(id="s", name="s", description="s",
                                                                                   tags=["t"])],
        supported_interfaces=[a2a.AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
                              for url, binding, version in urls])


BOTH = card(("http://node:9000/agent/rpc", "JSONRPC", "1.0"), ("https://10.0.0.7/agent/rest", "HTTP+JSON", "1.0"),
            ("http://node:9000/agent/old", "JSONRPC", "0.3"), ("node:50051", "GRPC", "1.0"))


def seen(written: dict, request: Request | None = None, prefix: str = "/", body: bytes | None = None) -> dict:
    reading = A2A(prefix=prefix).read(request or get(PATH), body)
    assert reading.wants_answer
    return json.loads(reading.whole_answer(json.dumps(written).encode()))


def test_urls_become_the_edges():
    told = seen(agent_card_to_dict(BOTH))
    assert [place["url"] for place in told["supportedInterfaces"]] == [
        "http://edge.example/agent/rpc", "http://edge.example/agent/rest", "http://edge.example/agent/old",
        "edge.example:80"]
    assert told["url"] == "http://edge.example/agent/old"
    assert told["documentationUrl"] == "http://docs.example/"
    assert told["provider"]["url"] == "http://node:9000/"
    parsed = parse_agent_card(told)
    assert parsed.supported_interfaces[0].url == "http://edge.example/agent/rpc"


def test_the_scheme_is_the_clients():
    request = get(PATH)
    request.secure, request.authority = True, b"[::1]"
    told = seen({"url": "http://node/a?x=1#y", "additionalInterfaces": [
        {"url": "ws://node/w", "transport": "WS"}, {"url": "node:1", "transport": "GRPC"}, {"url": "urn:x"},
        {"url": "http://[bad"}, {"url": 5}, None]}, request)
    assert told["url"] == "https://[::1]/a?x=1#y"
    assert [place and place.get("url") for place in told["additionalInterfaces"]] == [
        "wss://[::1]/w", "[::1]:443", "urn:x", "http://[bad", 5, None]


@pytest.mark.parametrize(("path", "ours"), [
    ("/agents/a/rpc", "/agents/a/rpc"), ("/agents/a", "/agents/a"), ("/agents/ab", "/agents/a/agents/ab"),
    ("/rpc", "/agents/a/rpc"), ("/", "/agents/a/"), ("", "/agents/a")])
def test_the_path_is_under_the_routes(path, ours):
    request = get("/agents/a/.well-known/agent.json")
    told = seen({"url": f"http://node:9000{path}"}, request, "/agents/a")
    assert told["url"] == f"http://edge.example{ours}"


@pytest.mark.parametrize(("prefix", "ours"), [
    ("/.well-known", "/rpc"), ("/.well-known/agent-card.json", "/rpc"), ("/a/.well-known/", "/a/rpc")])
def test_a_route_for_cards_alone_is_no_place_to_be_under(prefix, ours):
    """A2A section 8.2 has the card at the root of its host, wherever the agent itself is."""
    told = seen({"url": "http://node:9000/rpc"}, get("/.well-known/agent-card.json"), prefix)
    assert told["url"] == f"http://edge.example{ours}"


@pytest.mark.parametrize("path", ["/agent/extendedAgentCard", "/agent/v1/card"])
def test_the_extended_card_over_rest(path):
    assert seen({"url": "http://node/a"}, get(path))["url"] == "http://edge.example/a"


def test_the_extended_card_over_json_rpc():
    request, body = post(rpc("GetExtendedAgentCard", {}))
    told = seen({"jsonrpc": "2.0", "id": 7, "result": {"url": "http://node/a"}}, request, "/", body)
    assert told == {"jsonrpc": "2.0", "id": 7, "result": {"url": "http://edge.example/a"}}


def key(kid, jku):
    return "a secret of more than thirty-two octets"


SIGN = create_agent_card_signer(key(None, None), {"alg": "HS256", "kid": "k", "typ": "JOSE", "jku": None})


def test_a_signature_that_would_be_wrong_is_taken_off():
    assert "signatures" not in seen(agent_card_to_dict(SIGN(card(("http://node:9000/a", "JSONRPC", "1.0")))))


def test_a_card_that_names_the_edge_stays_as_it_is_and_verifies():
    written = agent_card_to_dict(SIGN(card(("http://edge.example/agent/rpc", "JSONRPC", "1.0"))))
    body = json.dumps(written, indent=3).encode()
    assert A2A().read(get(PATH), None).whole_answer(body) == body
    create_signature_verifier(key, ["HS256"])(parse_agent_card(json.loads(body)))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b'{"supportedInterfaces": 5}', b'{"url": null}'])
def test_what_is_no_card_stays_as_it_is(body):
    assert A2A().read(get(PATH), None).whole_answer(body) == body


def test_a_card_nested_too_deeply_tells_nothing():
    body = b'{"url": "http://node/", "x": ' + b"[" * 400 + b"]" * 400 + b"}"
    assert A2A().read(get(PATH), None).whole_answer(body) == b"{}"


def test_validators_are_weak_and_no_part_is_asked_for():
    request = get(PATH)
    request.fields += [(b"range", b"bytes=0-5"), (b"accept-encoding", b"gzip"), (b"if-none-match", b'"x"')]
    reading = A2A().read(request, None)
    sent = reading.outgoing(request, TALK)
    assert sent.first(b"range") is None
    assert sent.first(b"accept-encoding") == b"identity"
    assert sent.first(b"if-none-match") == b'"x"'
    told = reading.answered(Response(200, [(b"etag", b'"x"'), (b"content-digest", b"sha-256=:x:")], 10),
                            lambda: b"", TALK)
    assert told == Response(200, [(b"etag", b'W/"x"')], 10)
    assert reading.answered(Response(304, [(b"etag", b'W/"x"')], 10), lambda: b"", TALK).length is None
