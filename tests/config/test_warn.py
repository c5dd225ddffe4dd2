"""What is allowed but probably not meant."""

from pathlib import Path

import pytest

from sbc.config import load, parse, warnings
from tests.config.test_load import SAMPLE
from tests.config.written import LEAST, with_section

TRUNK = 'trunk: {listen: "%s"}\n'
NODE = "{name: n, url: 'http://h:1', zone: eu-1, labels: {gpu: a100}}"


def listener(keys: str) -> str:
    """LEAST with more said of its listener, and with a trunk."""
    return LEAST.replace('"127.0.0.1:0"', f'"127.0.0.1:0", {keys}', 1) + TRUNK % "127.0.0.1:0"


def told(text: str) -> list[str]:
    return [line.split(": ")[0] for line in warnings(parse(text, "f"))]


def test_the_sample_gives_no_reason_to_warn() -> None:
    assert warnings(load(str(SAMPLE))) == []


def test_a_pool_that_can_have_no_nodes() -> None:
    assert told(LEAST) == ["pools.p"]
    assert told(LEAST + TRUNK % "127.0.0.1:0") == []


def test_a_retry_where_there_is_no_quic() -> None:
    assert told(listener("quic_retry: always")) == ["listeners.0.quic_retry"]


@pytest.mark.parametrize("limits", [
    "sessions_per_tenant: 5", "sessions_per_second: {tenant: 5}", "messages_per_second_of: {tenant: 5}",
    "bytes_per_second_of: {tenant: 16KiB, source: 16KiB}",
])  # fmt: skip
def test_limits_of_tenants_that_nobody_names(limits: str) -> None:
    base = LEAST + TRUNK % "127.0.0.1:0" + "policies: {default: {limits: {" + limits + "}"
    jwt = ", auth: {jwt: {jwks: 'https://a.test/k', issuer: i, audience: a"
    assert told(base + "}}") == told(base + jwt + "}}}}") == ["policies.default.limits"]
    assert told(base + jwt + ", tenant: org}}}}") == []


def test_doors_off_loopback() -> None:
    base = TRUNK % "127.0.0.1:0"
    outside = with_section("listeners", 'listeners: [{name: a, listen: "0.0.0.0:0"}]')
    line, _ = warnings(parse(outside + "\n" + base, "f"))
    assert line.startswith("listeners.0: 0.0.0.0:0 is not loopback and no auth is asked for (policies: default)")
    admin = 'admin: {listen: "[::]:9070"%s}'
    (line,) = warnings(parse(LEAST + base + admin % "", "f"))
    assert line.startswith("admin.listen: [::]:9070 is not loopback and no token is asked for")
    tokens = f", tokens: [{{name: a, sha256: {'ab' * 32}}}]"
    (line,) = warnings(parse(LEAST + base + admin % tokens, "f"))
    assert line.startswith("admin.listen: [::]:9070 is not loopback and speaks no TLS")


def test_a_door_off_loopback_that_asks_who_comes_is_no_reason_to_warn() -> None:
    outside = with_section("listeners", 'listeners: [{name: a, listen: "0.0.0.0:0"}]')
    assert told(f"{outside}\n{TRUNK % '127.0.0.1:0'}policies: {{default: {{auth: {{certificate: true}}}}}}") == []


def test_who_says_from_where_one_may_ask_is_not_open_to_all() -> None:
    base = with_section("listeners", 'listeners: [{name: a, listen: "0.0.0.0:0"}]') + "\n" + TRUNK % "127.0.0.1:0"
    assert told(base + "policies: {default: {access: {allow: [10.0.0.0/8]}}}") == []
    assert told(base + "policies: {default: {access: {deny: [10.0.0.0/8]}}}")[0] == "listeners.0"


def test_a_trunk_off_loopback(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    assert told(LEAST + TRUNK % "0.0.0.0:0") == ["trunk", "trunk"]
    (line,) = warnings(parse(LEAST + f'trunk: {{listen: "0.0.0.0:0", secret_file: "{tmp_path}/secret"}}', "f"))
    assert "no TLS" in line


def test_a_redis_store_that_is_reached_without_protection() -> None:
    trunk = "trunk: {listen: '127.0.0.1:0', advertise: 'ws://edge-1:9071/trunk'}\n"
    base = LEAST + trunk + "edge: {seal_keys: [{id: a, file: b}], store: '%s'}"
    assert told(base % "redis://127.0.0.1") == told(base % "redis+cluster://localhost:1,127.0.0.1:2") == []
    assert told(base % "redis://10.0.0.5") == ["edge.store", "edge.redis"]
    assert told(base % "rediss+sentinel://10.0.0.5/main") == ["edge.redis"]
    alone = base.replace(", advertise: 'ws://edge-1:9071/trunk'", "")
    assert told(alone % "redis://127.0.0.1") == ["trunk.advertise"]


def test_an_address_that_edges_share_and_nobody_listens_on() -> None:
    base = LEAST.replace("127.0.0.1:0", "%s") + (
        "kernel: {}\nedge: {seal_keys: [{id: a, file: b}], store: 'redis://127.0.0.1', "
        "address: {share: %s, device: eth0}}")
    for listen, share, warned in (("192.0.2.10:80", "192.0.2.10/24", False), ("0.0.0.0:80", "192.0.2.10/24", False),
                                  ("127.0.0.1:80", "192.0.2.10/24", True), ("0.0.0.0:80", "2001:db8::1/64", True)):
        assert ("edge.address" in told(base % (listen, share))) is warned, (listen, share)


def test_a_durable_store_with_tokens_that_are_not() -> None:
    base = LEAST + TRUNK % "127.0.0.1:0"
    assert told(base + "edge: {store: 'sqlite:x'}") == ["edge.seal_keys"]
    assert told(base + "edge: {store: 'sqlite:x', seal_keys: [{id: a, file: b}]}") == []


@pytest.mark.parametrize(("agents", "paths"), [
    ("{a: {pool: p}}", []),
    ("{a: {pool: p, placement: {regions: [eu], labels: {gpu: a100}}}}", []),
    ("{a: {pool: p, placement: {regions: [us]}}}", ["agents.a.placement"]),
    ("{a: {pool: p, placement: {labels: {gpu: h100}}}}", ["agents.a.placement"]),
    ("{a: {pool: p}, b: {pool: p}}", ["agents.b"]),
])
def test_agents(agents: str, paths: list[str]) -> None:
    text = with_section("pools", f"pools: {{p: {{nodes: [{NODE}]}}}}")
    assert told(text.replace("{a: {pool: p}}", agents)) == paths


def test_whoever_reaches_it_is_believed() -> None:
    text = listener("trusted_hops: 1")
    assert told(text) == []
    assert told(text.replace("127.0.0.1:0", "10.0.0.1:0", 1))[0] == "listeners.0.trusted_hops"


@pytest.mark.parametrize(("transports", "route", "paths"), [
    ("websocket", "protocol: realtime", []),
    ("http1, http2", "protocol: realtime", ["routes.0.protocol"]),
    ("websocket", "protocol: mcp", ["routes.0.protocol"]),
    ("http2", "protocol: sse", []),
    ("http2", "protocol: agentcore", []),
    ("http1", "session: {json_field: id}", []),
    ("websocket, http1", "session: {json_field: id}", []),
    ("websocket", "session: {json_field: id}", ["routes.0.session.json_field"]),
    ("websocket, http1", "protocol: realtime, session: {json_field: id}", ["routes.0.session.json_field"]),
    ("websocket", "session: {header: Chat}", []),
    ("http1", "protocol: mcp, session: {header: Chat}", ["routes.0.session"]),
    ("http1", "protocol: a2a, session: {header: Chat}", []),
])
def test_what_no_listener_serves_or_no_request_needs(transports: str, route: str, paths: list[str]) -> None:
    text = listener(f"transports: [{transports}]").replace("routes: [{agent: a}]", f"routes: [{{agent: a, {route}}}]")
    assert told(text) == paths


def test_nodes_that_speak_http2_take_websockets_too() -> None:
    text = LEAST.replace("pools: {p: {}}", "pools: {p: {nodes: [{name: n, url: 'h2c://h:1'}]}}")
    assert told(text) == []


def test_nodes_that_nobody_watches() -> None:
    assert told(with_section("pools", f"pools: {{p: {{nodes: [{NODE}], probe: null}}}}")) == ["pools.p"]


def test_waiting_for_a_store_that_outlives_nothing(tmp_path: Path) -> None:
    sync = with_section("agents", "agents: {a: {pool: p, durability: sync}}") + "\n" + TRUNK % "127.0.0.1:0"
    keys = f", seal_keys: [{{id: k, file: '{tmp_path}/k'}}]"
    assert told(sync + "edge: {store: 'memory:'}\n") == ["agents.a.durability"]
    assert told(sync + f"edge: {{store: 'sqlite:{tmp_path}/db'{keys}}}\n") == []
