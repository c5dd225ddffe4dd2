"""Routes: the longest prefix on segment borders, and a host before none."""

import pytest

from sbc.core.routing import Routes, under
from sbc.model.ids import AgentName
from sbc.model.route import Route


def route(agent: str, path: str, host: str | None = None) -> Route:
    return Route(AgentName(agent), "opaque", "default", host=host, path=path)


ROUTES = Routes([
    route("any", "/"), route("tutor", "/tutor"), route("deep", "/tutor/deep/"), route("mcp", "/mcp", "Mcp.example.com"),
    route("host", "/", "mcp.example.com"), route("six", "/", "[::1]"),
])  # fmt: skip


@pytest.mark.parametrize(("host", "path", "agent"), [
    ("a", "/", "any"), ("a", "/tutor", "tutor"), ("a", "/tutor/", "tutor"), ("a", "/tutors", "any"),
    ("a", "/tutor/deep", "deep"), ("a", "/tutor/deep/er", "deep"), ("a", "/tutor/deeper", "tutor"),
    ("MCP.example.com:8443", "/mcp", "mcp"), ("mcp.example.com", "/tutor", "host"), ("[::1]:80", "/x", "six"),
    ("", "/x", "any"),
])  # fmt: skip
def test_a_hello_takes(host: str, path: str, agent: str) -> None:
    found = ROUTES.find(host, path)
    assert found is not None and found.agent == agent


def test_no_route() -> None:
    assert Routes([route("a", "/a")]).find("h", "/b") is None
    assert Routes([]).find("h", "/") is None


def test_under() -> None:
    assert under("/a", "/a/") and under("/a/b", "/a") and under("/x", "/")
    assert not under("/ab", "/a")
