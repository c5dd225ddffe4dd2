"""Calls of the OpenAI API: which one it is, what it belongs to, and that all turns of a chat belong together."""

from typing import Any

import orjson
import pytest

from sbc.model.http import Request
from sbc.protocols.openai.calls import LONGEST_KEY, Call, Kind, call_of, keys_of, leaves_nothing, stored_key
from sbc.protocols.protocol import Key

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
WEATHER: dict[str, Any] = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


def asked(path: str, method: str = "POST") -> Request:
    return Request(method.encode(), path.encode(), b"inference", [])


def keys(path: str, **body: Any) -> list[Key]:
    request = asked(path)
    return keys_of(request, call_of(request), orjson.loads(orjson.dumps(body)))


@pytest.mark.parametrize(("method", "path", "call"), [
    ("POST", CHAT, Call(Kind.CHAT)),
    ("POST", "/chat/completions", Call(Kind.CHAT)),
    ("POST", "/openai/deployments/gpt/chat/completions?api-version=2026-01-01", Call(Kind.CHAT)),
    ("GET", CHAT, Call(Kind.OTHER)), ("GET", CHAT + "/chatcmpl-1", Call(Kind.OTHER)),
    ("POST", CHAT + "/chatcmpl-1", Call(Kind.OTHER)),
    ("POST", "/v1/completions", Call(Kind.COMPLETION)), ("POST", "/completions/", Call(Kind.COMPLETION)),
    ("POST", RESPONSES, Call(Kind.RESPONSE)), ("POST", "/a/b/v1/responses/?x=1", Call(Kind.RESPONSE)),
    ("GET", RESPONSES, Call(Kind.OTHER)),
    ("POST", RESPONSES + "/input_tokens", Call(Kind.ASIDE)), ("POST", RESPONSES + "/compact", Call(Kind.ASIDE)),
    ("GET", RESPONSES + "/resp_1?stream=true", Call(Kind.STORED, "resp_1")),
    ("DELETE", RESPONSES + "/resp_1", Call(Kind.STORED, "resp_1")),
    ("GET", RESPONSES + "/resp_1/input_items", Call(Kind.STORED, "resp_1")),
    ("POST", RESPONSES + "/resp_1/cancel", Call(Kind.CANCEL, "resp_1")),
    ("POST", "/v1/conversations", Call(Kind.CONVERSATION)),
    ("GET", "/v1/conversations/conv_1", Call(Kind.CONVERSATION, "conv_1")),
    ("POST", "/v1/conversations/conv_1/items", Call(Kind.CONVERSATION, "conv_1")),
    ("GET", "/v1/models", Call(Kind.OTHER)), ("POST", "/v1/embeddings", Call(Kind.OTHER)),
    ("GET", "/", Call(Kind.OTHER)),
])  # fmt: skip
def test_paths(method: str, path: str, call: Call) -> None:
    assert call_of(asked(path, method)) == call


def test_the_most_specific_key_comes_first() -> None:
    body = {"model": "m", "input": "hi", "user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
            "conversation": {"id": "conv_1"}, "previous_response_id": "resp_1"}  # fmt: skip
    found = [Key("response", "resp_1"), Key("conversation", "conv_1"), Key("prompt_cache_key", "k"), Key("user", "s")]
    assert keys(RESPONSES, **body) == found
    assert keys(RESPONSES + "/input_tokens", **body) == found
    assert keys(RESPONSES, input="hi", conversation="conv_1") == [Key("conversation", "conv_1")]
    assert keys(CHAT, messages=[], user="u") == [Key("user", "u")]
    assert keys("/v1/completions", prompt="x", user="u") == [Key("user", "u")]


def test_paths_that_name_something_belong_to_it() -> None:
    assert keys(RESPONSES + "/resp_1/cancel") == [Key("response", "resp_1")]
    assert keys("/v1/conversations/conv_1/items") == [Key("conversation", "conv_1")]
    assert keys("/v1/conversations") == []


def test_a_long_key_costs_no_more_than_a_short_one() -> None:
    (key,) = keys(CHAT, user="u" * (LONGEST_KEY + 1))
    assert key.kind == "user"
    assert len(key.value) == 32
    assert keys(CHAT, user="u" * LONGEST_KEY) == [Key("user", "u" * LONGEST_KEY)]


@pytest.mark.parametrize("body", [
    {}, {"messages": 3}, {"messages": ["hi"]}, {"messages": []}, {"user": 3}, {"user": ""},
    {"conversation": {"id": 5}}, {"conversation": {}}, {"messages": [{"role": "system", "content": "be brief"}]},
])  # fmt: skip
def test_what_says_nothing_belongs_nowhere(body: dict[str, Any]) -> None:
    assert keys(CHAT, **body) == []
    assert keys("/v1/completions", prompt="Once upon a time", **body) == []


def test_all_turns_of_a_chat_have_one_digest() -> None:
    system = {"role": "system", "content": "You are terse."}
    first = {"role": "user", "content": "What is SIP?"}
    answer = {"role": "assistant", "content": "A signalling protocol."}
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    (turn1,) = keys(CHAT, model="m", tools=tools, messages=[system, first], stream=True)
    (turn2,) = keys(CHAT, model="m", tools=tools, temperature=0.2,
                    messages=[system, first, answer, {"role": "user", "content": "And RTP?"}])  # fmt: skip
    in_parts = {"role": "user", "content": [{"type": "text", "text": "What is SIP?"}]}
    (turn3,) = keys(CHAT, messages=[system, in_parts, answer], tools=tools, model="m")
    assert turn1 == turn2 == turn3
    assert turn1.kind == "prefix"
    others = [
        keys(CHAT, model="n", tools=tools, messages=[system, first]), keys(CHAT, model="m", messages=[system, first]),
        keys(CHAT, model="m", tools=tools, messages=[first]),
        keys(CHAT, model="m", tools=tools, messages=[system, {"role": "user", "content": "Hi"}]),
        keys("/other/chat/completions", model="m", tools=tools, messages=[system, first]),
    ]  # fmt: skip
    assert len({turn1, *(key for (key,) in others)}) == 1 + len(others)


def test_turns_that_are_said_whole_to_responses_have_one_digest() -> None:
    (turn1,) = keys(RESPONSES, model="m", instructions="Be terse.", input="What is SIP?", store=False)
    (turn2,) = keys(RESPONSES, model="m", instructions="Be terse.", store=False, input=[
        {"role": "user", "content": "What is SIP?"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A protocol."}]},
        {"role": "user", "content": "And RTP?"},
    ])  # fmt: skip
    (turn3,) = keys(RESPONSES, model="m", instructions="Be terse.", input=[
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is SIP?"}]}])  # fmt: skip
    assert turn1 == turn2 == turn3
    assert keys(RESPONSES, model="m", instructions="Be wordy.", input="What is SIP?") != [turn1]


def test_pictures_count_too() -> None:
    def looking_at(url: str) -> list[Key]:
        parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
        return keys(CHAT, model="m", messages=[{"role": "user", "content": parts}])

    assert looking_at("data:image/png;base64,AAAA") == looking_at("data:image/png;base64,AAAA")
    assert looking_at("data:image/png;base64,AAAA") != looking_at("data:image/png;base64,AAAB")


def test_a_body_that_is_nested_too_deep_is_no_fault_of_the_edge() -> None:
    request = asked(CHAT)
    deep = orjson.loads(b'{"messages": [{"role": "user", "content": "x"}], "tools": ' + b"[" * 900 + b"]" * 900 + b"}")
    assert keys_of(request, call_of(request), deep) == []


@pytest.mark.parametrize(("path", "body", "nothing"), [
    (CHAT, {"store": False}, True), (CHAT, {}, False), (CHAT, {"store": True}, False), (CHAT, {"store": None}, False),
    (CHAT, {"store": False, "tools": [{"type": "function", "function": {}}]}, True),
    (CHAT, {"store": False, "web_search_options": {"search_context_size": "low"}}, False),
    (RESPONSES, {"store": False, "tools": [WEATHER, {"type": "custom", "name": "sh"}]}, True),
    (RESPONSES, {"store": False, "tools": [WEATHER, {"type": "code_interpreter"}]}, False),
    (RESPONSES, {"store": False, "tools": [{"type": "mcp", "server_url": "https://mcp.example"}]}, False),
    (RESPONSES, {"store": False, "tools": [{"type": ["function"]}]}, False),
    (RESPONSES, {"store": False, "tools": {"type": "function"}}, False),
    (RESPONSES, {"store": False, "tools": ["function"]}, False),
    (RESPONSES, {"store": False, "background": True}, False),
    (RESPONSES, {"store": False, "conversation": "conv_1"}, False),
    (RESPONSES, {"store": False, "prompt": {"id": "pmpt_1"}}, False),
    (RESPONSES, {"store": False, "previous_response_id": "resp_1"}, True),
    (RESPONSES, {}, False), (RESPONSES + "/resp_1/cancel", {}, True), (RESPONSES + "/compact", {"store": False}, False),
    ("/v1/completions", {"prompt": "x"}, True), ("/v1/conversations", {}, False), ("/v1/embeddings", {}, False),
])  # fmt: skip
def test_what_leaves_nothing_behind(path: str, body: dict[str, Any], nothing: bool) -> None:
    assert leaves_nothing(call_of(asked(path)), body) is nothing


def test_only_what_is_stored_has_a_key() -> None:
    assert stored_key({"object": "response", "id": "resp_1"}) == Key("response", "resp_1")
    assert stored_key({"object": "conversation", "id": "conv_1"}) == Key("conversation", "conv_1")
    for answer in ({"object": "chat.completion", "id": "chatcmpl-1"}, {"object": "response"}, {"id": "resp_1"},
                   {"object": "response", "id": 7}, {"object": "response", "id": ""}, {}):  # fmt: skip
        assert stored_key(answer) is None
