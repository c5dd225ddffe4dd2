"""2026-07-28: headers that mirror the body are believed only if they do."""

from typing import Any

import pytest

from sbc.protocols.mcp import jsonrpc
from sbc.protocols.mcp.headers import decoded, mismatch, modern
from tests.protocols.mcp.shapes import META, V2025, V2026, call, request


@pytest.mark.parametrize(("version", "expected"), [
    (None, False), (b"2024-11-05", False), (b"2025-03-26", False), (V2025, False), (V2026, True), (b"2031-01-01", True),
    (b"", True),
])  # fmt: skip
def test_era(version: bytes | None, expected: bool) -> None:
    assert modern(request(version=version)[0]) is expected


@pytest.mark.parametrize(("value", "expected"), [
    (b"weather", "weather"), (b"=?base64?w7xiZXI=?=", "über"), (b"=?base64?IHg=?=", " x"), (None, None),
    (b"=?base64?%%?=", None), (b"=?base64?/w==?=", None), (b"=?base64?w7xiZXJ=?=", None), (b"=?base64??=", ""),
    (b"=?BASE64?w7xiZXI=?=", "=?BASE64?w7xiZXI=?="), (b"=?base64?PT9iYXNlNjQ/eD89?=", "=?base64?x?="),
])  # fmt: skip
def test_values(value: bytes | None, expected: str | None) -> None:
    assert decoded(value) == expected


def fault(body: dict[str, Any], version: bytes, method: bytes | None, name: bytes | None) -> str | None:
    fields = [(key, value) for key, value in ((b"mcp-method", method), (b"mcp-name", name)) if value is not None]
    asked, _ = request(body, version=version, more=fields)
    return mismatch(asked, jsonrpc.message(body))


CALL = call(1, "tools/call", name="über", _meta=META)


@pytest.mark.parametrize(("body", "method", "name", "wrong"), [
    (CALL, b"tools/call", b"=?base64?w7xiZXI=?=", None),
    (CALL, b"tools/call", b"ober", "mcp-name"),
    (CALL, b"tools/call", None, "mcp-name"),
    (CALL, b"tools/list", b"=?base64?w7xiZXI=?=", "mcp-method"),
    (CALL, b"TOOLS/CALL", b"=?base64?w7xiZXI=?=", "mcp-method"),
    (CALL, None, b"=?base64?w7xiZXI=?=", "mcp-method"),
    (call(1, "resources/read", uri="a:b", _meta=META), b"resources/read", b"a:b", None),
    (call(1, "resources/read", uri="a:b", _meta=META), b"resources/read", b"a:c", "mcp-name"),
    (call(1, "tasks/get", taskId="t", _meta=META), b"tasks/get", None, None),
    (call(1, "tasks/get", taskId="t", _meta=META), b"tasks/get", b"t", None),
    (call(1, "tasks/cancel", taskId="t", _meta=META), b"tasks/cancel", b"u", "mcp-name"),
    (call(1, "tools/list", _meta=META), b"tools/list", b"anything", None),
    (call(1, "tools/list"), b"tools/list", None, None),
])  # fmt: skip
def test_mirrors(body: dict[str, Any], method: bytes | None, name: bytes | None, wrong: str | None) -> None:
    found = fault(body, V2026, method, name)
    assert found is None if wrong is None else found is not None and found.startswith(wrong)


def test_the_version_stands_in_the_body_too() -> None:
    assert (fault(CALL, b"2027-01-01", b"tools/call", b"=?base64?w7xiZXI=?=") or "").startswith("mcp-protocol-version")
