"""What may be sent to another node too: methods by what they do, tools by what trusted nodes say of them."""

from typing import Any

import pytest

from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.safety import MOST_TOOLS, Tools, safe
from tests.protocols.mcp.shapes import call, result, told


def message(value: dict[str, Any]) -> jsonrpc.Message:
    return jsonrpc.message(value)


@pytest.mark.parametrize(("value", "expected"), [
    (call(1, "tools/list"), True), (call(1, "resources/read", uri="a"), True), (call(1, "initialize"), True),
    (call(1, "logging/setLevel", level="info"), True), (call(1, "tools/call", name="pay"), False),
    (call(1, "tasks/get", taskId="t"), True), (call(1, "tasks/update", taskId="t"), False),
    (call(1, "vendor/thing"), False), (told("notifications/cancelled", requestId=1), True),
    (told("notifications/vendor"), False), (result(4), True),
])  # fmt: skip
def test_by_method(value: dict[str, Any], expected: bool) -> None:
    assert safe(message(value), None) is expected


def tool(name: str, **annotations: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {}, **({"annotations": annotations} if annotations else {})}


def test_by_annotation() -> None:
    tools = Tools()
    tools.learn({"tools": [tool("read", readOnlyHint=True), tool("put", idempotentHint=True), tool("pay"),
                           tool("odd", readOnlyHint="yes"), {"name": 4}, "tool"]})  # fmt: skip
    found = [name for name in ("read", "put", "pay", "odd", "x")
             if safe(message(call(1, "tools/call", name=name)), tools)]  # fmt: skip
    assert found == ["read", "put"]
    assert not safe(message(call(1, "tools/call", name="read")), None)
    tools.learn({"tools": "none"})
    tools.learn({})


def test_who_calls_a_tool_unsafe_is_believed() -> None:
    tools = Tools()
    tools.learn({"tools": [tool("a", readOnlyHint=True)]})
    tools.learn({"tools": [tool("a", readOnlyHint=False)]})
    tools.learn({"tools": [tool("a", readOnlyHint=True)]})
    assert not tools.repeatable("a")


def test_bounded() -> None:
    tools = Tools()
    tools.learn({"tools": [tool(f"t{number}", readOnlyHint=True) for number in range(MOST_TOOLS + 1)]})
    assert tools.repeatable(f"t{MOST_TOOLS - 1}") and not tools.repeatable(f"t{MOST_TOOLS}")
    assert not tools.repeatable("n" * 1000) and not tools.repeatable(["t1"])
