"""The kinds of text."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from sbc.config.faults import Wrong
from sbc.config.model import Address
from sbc.config.values import (
    MOST_WORKERS,
    address,
    loss,
    network,
    node_url,
    route_host,
    route_path,
    store,
    trunk_url,
    whole,
    workers,
)


@pytest.mark.parametrize(("written", "value"), [
    ("127.0.0.1:8080", Address("127.0.0.1", 8080)), ("0.0.0.0:0", Address("0.0.0.0", 0)),
    ("[::1]:8080", Address("::1", 8080)), ("[0:0::1]:65535", Address("::1", 65535)), ("[::]:1", Address("::", 1)),
])
def test_addresses(written: str, value: Address) -> None:
    assert address(written) == value


NO_URL = "no Redis store: not a URL of a Redis store"


@pytest.mark.parametrize(("read", "written", "what"), [
    (address, 8080, "a port without an address"), (address, "localhost:80", "not an address"),
    (address, "127.0.0.1", "not an address"), (address, "127.0.0.1:65536", "not an address"),
    (address, "::1:80", "not an address"), (address, "[127.0.0.1]:80", "not an address"),
    (address, "256.0.0.1:80", "not an address"), (address, "[::g]:80", "not an address"),
    (address, "", "not an address"), (address, True, "not an address"), (address, None, "not an address"),
    (store, "redis://u:p@h", "no Redis store: user and password stand in edge.redis (user, password_file)"),
    (store, "redis://a,b", "no Redis store: too many hosts"),
    (store, "redis+sentinel://h", "no Redis store: what the Sentinels call the service is missing"),
    (store, "redis+cluster://h/1", "no Redis store: a cluster has one database"),
    (store, "redis://h/x", "no Redis store: the database is a number"), (store, "redis:h", NO_URL),
    (store, "redis://h:99999", "no Redis store: not a port: 99999"), (store, "redis://h?x=1", NO_URL),
    (store, "sqlite:", "not a store"),
    (store, "postgres://h", "not a store"), (store, "memory", "not a store"), (store, 1, "not a text"),
    (store, "sqlite:a\0b", "not a store"),
    (trunk_url, "http://h:1/trunk", "not the URL of a trunk"), (trunk_url, "ws://h/trunk", "not the URL of a trunk"),
    (trunk_url, "wss://h:65536/trunk", "there is no such port"),
    (trunk_url, "ws://u@h:1/trunk", "not the URL of a trunk"),
    (node_url, "ftp://h:1", "not a URL of a node"), (node_url, "http://h:1/a b", "not a URL of a node"),
    (node_url, "h:1", "not a URL of a node"), (node_url, "http://:1", "not a URL of a node"),
    (node_url, "http://h:1/p#f", "not a URL of a node"), (node_url, "http://u:p@h:1", "not a URL of a node"),
    (node_url, "http://h:99999", "not a URL of a node"), (node_url, "http://h:0", "not a URL of a node"),
    (node_url, "http://[::1", "not a URL of a node"), (node_url, "http://h:1?q", "not a URL of a node"),
    (node_url, "http://h\n:1", "not a URL of a node"), (node_url, None, "not a text"),
    (network, "10.0.0.1/8", "an address within a network, not the network"), (network, "10.0.0.0/33", "not a network"),
    (network, "proxy.internal", "not a network"), (network, 10, "not a text"),
    (network, "fe80::1%eth0", "not a network"),
    (route_host, "*.example.com", "not a host name"), (route_host, "a:80", "not a host name"),
    (route_host, "http://a", "not a host name"), (route_host, "", "not a host name"),
    (route_path, "chat", "not a path"), (route_path, "/a?b", "not a path"), (route_path, "/a b", "not a path"),
    (route_path, "/é", "not a path"), (route_path, "", "not a path"),
    (loss, -1, "not a number of messages"), (loss, "some", "not a number of messages"),
    (loss, True, "not a number of messages"), (loss, [], "not a number of messages"),
    (workers, MOST_WORKERS + 1, "not a number of processes"), (workers, True, "not a number of processes"),
    (workers, 0, "not a number of processes"), (workers, "1", "not a number of processes"),
    (whole(1, 5).read, 6, "too large"), (whole(1, 5).read, 0, "too small"),
    (whole(1, 5).read, True, "not a whole number"),
    (whole(1, 5).read, 2.0, "not a whole number"), (whole(1, 5).read, "2", "not a whole number"),
])
def test_what_is_refused(read: Callable[[Any], Any], written: object, what: str) -> None:
    with pytest.raises(Wrong) as caught:
        read(written)
    assert caught.value.what == what
    assert caught.value.right


def test_a_bare_port_is_answered_with_the_address_that_was_probably_meant() -> None:
    with pytest.raises(Wrong, match=r"127\.0\.0\.1:8080, or 0\.0\.0\.0:8080 to be reached from outside"):
        address(8080)


@pytest.mark.parametrize(("read", "written", "value"), [
    (store, "memory:", "memory:"), (store, "sqlite:var/a b.db", "sqlite:var/a b.db"),
    (node_url, "http://127.0.0.1:9001", "http://127.0.0.1:9001"), (node_url, "http://node.internal/", "http://node.internal"),
    (node_url, "http://[::1]:9001", "http://[::1]:9001"),
    (node_url, "https://node:1/base/", "https://node:1/base"), (node_url, "wss://node", "wss://node"),
    (node_url, "h2c://node:1", "h2c://node:1"), (node_url, "h2://node", "h2://node"),
    (network, "10.0.0.0/8", ip_network("10.0.0.0/8")), (network, "fd00::1", ip_network("fd00::1/128")),
    (route_host, "MCP.Example.com", "mcp.example.com"),
    (route_path, "/", "/"), (route_path, "/a/b/", "/a/b"), (route_path, "/%7Ea;x=1", "/%7Ea;x=1"),
    (loss, "none", "none"), (loss, "any", "any"), (loss, 0, 0), (loss, 12, 12),
    (workers, 1, 1), (workers, MOST_WORKERS, MOST_WORKERS),
])
def test_what_is_taken(read: Callable[[Any], Any], written: object, value: object) -> None:
    assert read(written) == value
