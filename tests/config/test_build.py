"""The document -> Config: defaults, and every key at its place."""

import hashlib
from ipaddress import ip_network
from pathlib import Path

from sbc.config import Address, Admin, AdminToken, Edge, Listener, Pool, Redis, Role, SealKey, TrunkDoor, parse
from sbc.config.build import LOOPBACK
from sbc.config.model import Kernel, Shaping
from sbc.model.identity import ApiKeys, Auth, Jwt
from sbc.model.manifest import Continuity, Durability, Manifest, Migration, Output, Placement, Replay, Standby, When
from sbc.model.marking import Mark
from sbc.model.node import Node, Probe
from sbc.model.policy import Access, Limits, PerSecond, Policy
from sbc.model.route import KeySource, Route, SessionKey
from tests.config.written import LEAST, with_line, with_section

FULL = """\
edge:
  name: e
  workers: 1
  store: sqlite:x.db
  seal_keys: [{id: k1, file: a.key}, {id: k0, file: b.key}]
  records: r.jsonl
  h2_engine: h2
  quic_engine: aioquic
admin: {tokens: [{name: ops, sha256: 3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0, role: operate}],
        listen: 127.0.0.1:1}
trunk: {listen: "[::1]:2", secret_file: null, tls: null}
listeners:
  - {name: l, listen: 0.0.0.0:3, transports: [websocket], tls: null, trusted_hops: 2, proxy_protocol: require,
     proxy_from: [10.0.0.0/8, "fd00::1"], quic_retry: always}
pools:
  p:
    nodes: [{name: n, url: "http://h:9/", zone: eu-1, capacity: 5, labels: {gpu: h100}}, {name: m, url: "http://h:8"}]
    discover: null
    tls: null
    probe: {path: /up, every: 100ms, timeout: 50ms, fall: 3, rise: 1}
  q: {probe: null}
agents:
  a:
    pool: p
    continuity: synchronous
    latency_ceiling: 2s
    past_ceiling: refuse
    state: {footprint: 64MiB, resumable: true}
    placement: {regions: [eu], labels: {gpu: h100}, spread: none}
    migration: {allowed: false, when: now, standby: warm, output: regenerate, replay: all, tolerated_loss: 7,
                trust: [message_ids], deadline: 1s, hold: 0}
    scaling: {warm_up: 5s, hibernate_after: 15m, max_life: 8h}
    durability: sync
    value: flat
    verification: {receipts: signed}
marking: {synchronous: VA, interactive: null, autonomous: 8}
kernel: {socket: k.sock, shaping: [{device: eth0, rate: 1MB, shares: {synchronous: 50}}]}
policies:
  strict:
    auth: null
    access: {allow: [10.0.0.0/8], deny: ["10.0.0.1"], methods: [GET], origins: ["https://A.example:8443", "null"]}
    limits: {sessions_per_principal: 2, message: 64KiB, body: 1MiB, journal: 128KiB, messages_per_second: 9,
             bytes_per_second: 32KiB, burst: 500ms, sessions_per_second: {principal: 3, source: null, agent: 4},
             messages_per_second_of: {tenant: 7}, bytes_per_second_of: {source: 64KiB},
             head: 8KiB, headers: 50, head_timeout: 1s, idle: 1m, ping: 5s}
    headers: {hide: [Via]}
routes:
  - {match: {path: /h, host: A.example}, agent: a, protocol: opaque, policy: strict, session: {header: Chat-Id}}
  - {match: {path: /c}, agent: a, session: {cookie: Chat}}
  - {match: {path: /q}, agent: a, session: {query: chat}}
  - {match: {path: /p}, agent: a, session: {path_segment: 1}}
  - {match: {path: /j}, agent: a, session: {jwt_claim: sub}}
  - {match: {path: /b}, agent: a, protocol: openai, session: {json_field: meta.chat}}
"""


def test_the_least_configuration_has_safe_defaults() -> None:
    config = parse(LEAST, "f")
    assert config.edge == Edge("edge-1", 1, "memory:", (), None, "auto", "auto",
                               Redis(None, None, None, None, None, None, 45.0, 1.0))
    assert (config.admin, config.trunk) == (Admin(Address("127.0.0.1", 9070)), None)
    transports = ("websocket", "http1", "http2")
    assert config.listeners == (
        Listener("plain", Address("127.0.0.1", 0), transports, None, 0, "off", LOOPBACK, "auto"),)
    assert config.pools == {"p": Pool("p", (), Probe())}
    assert config.policies == {"default": Policy("default", Limits())}
    assert config.routes == (Route("a", "opaque", "default"),)
    manifest = config.agents["a"]
    assert manifest == Manifest("a", "p", mark=Mark(1, 26, 4), declared=manifest.declared)
    assert config.kernel is None


def test_every_section_may_be_left_empty_or_written_with_one_key() -> None:
    """The defaults of the schema are those of the model, key by key."""
    config = parse(with_line("policies: {x: {}, y: {limits: {}}}"), "f")
    assert config.policies["x"].limits == config.policies["y"].limits == Limits()
    config = parse(with_section("agents", "agents: {a: {pool: p, migration: {}, placement: {}, scaling: {}}}"), "f")
    assert (config.agents["a"].migration, config.agents["a"].placement) == (Migration(), Placement())
    assert parse(with_section("pools", "pools: {p: {probe: {}}}"), "f").pools["p"].probe == Probe()


def test_the_default_policy_can_be_written() -> None:
    config = parse(with_line("policies: {default: {limits: {headers: 9}}}"), "f")
    assert [policy.limits.headers for policy in config.policies.values()] == [9]


def test_doors_and_pools() -> None:
    config = parse(FULL, "f")
    assert config.edge == Edge("e", 1, "sqlite:x.db", (SealKey("k1", "a.key"), SealKey("k0", "b.key")), "r.jsonl",
                               "h2", "aioquic", Redis(None, None, None, None, None, None, 45.0, 1.0))
    assert config.trunk == TrunkDoor(Address("::1", 2), None, None)
    (listener,) = config.listeners
    assert (listener.trusted_hops, listener.proxy_protocol, listener.quic_retry) == (2, "require", "always")
    assert listener.proxy_from == (ip_network("10.0.0.0/8"), ip_network("fd00::1/128"))
    node = Node("p/n", "p", "http://h:9", "eu-1", {"gpu": "h100"}, 5)
    assert config.pools == {
        "p": Pool("p", (node, Node("p/m", "p", "http://h:8")), Probe("/up", 0.1, 0.05, 3, 1)), "q": Pool("q", (), None)}


def test_the_admin_doors_tokens() -> None:
    digest = hashlib.sha256(b"token").hexdigest()
    assert parse(FULL, "f").admin.tokens == (AdminToken("ops", digest, Role.OPERATE),)
    admin = f"admin: {{tokens: [{{name: a, sha256: {digest}}}]}}"
    assert parse(with_line(admin), "f").admin.tokens[0].role is Role.VIEW


def test_manifests() -> None:
    manifest = parse(FULL, "f").agents["a"]
    assert (manifest.continuity, manifest.latency_ceiling) == (Continuity.SYNCHRONOUS, 2.0)
    assert manifest.refuses_late and manifest.durability is Durability.SYNC
    assert manifest.placement == Placement(("eu",), {"gpu": "h100"}, None)
    assert manifest.migration == Migration(
        False, When.NOW, Standby.WARM, Output.REGENERATE, Replay.ALL, tolerated_loss=7,
        trust=("message_ids",), deadline=1.0, hold=0.0)
    assert manifest.declared == {
        "pool": "p", "continuity": "synchronous", "latency_ceiling": 2.0, "past_ceiling": "refuse",
        "state": {"footprint": 64 * 2**20, "resumable": True},
        "placement": {"regions": ["eu"], "labels": {"gpu": "h100"}, "spread": "none"},
        "migration": {"allowed": False, "when": "now", "standby": "warm", "output": "regenerate", "replay": "all",
                      "tolerated_loss": 7, "trust": ["message_ids"], "deadline": 1.0, "hold": 0.0},
        "scaling": {"warm_up": 5.0, "hibernate_after": 900.0, "max_life": 28800.0},
        "durability": "sync", "value": "flat", "verification": {"receipts": "signed"},
    }


def test_marks_and_orders_to_the_kernel() -> None:
    config = parse(FULL, "f")
    assert config.agents["a"].mark == Mark(0, 44, 6)
    assert list(config.marking.values()) == [44, None, 8]
    assert config.kernel == Kernel("k.sock", (Shaping("eth0", 1_000_000, {
        Continuity.SYNCHRONOUS: 500_000, Continuity.INTERACTIVE: 250_000, Continuity.AUTONOMOUS: 50_000}),))
    assert parse(with_line("marking: {interactive: null}"), "f").agents["a"].mark is None
    assert parse(with_line("kernel: {}"), "f").kernel == Kernel("/run/sbc-kernel.sock", ())


def test_what_nodes_are_shown_has_the_defaults_in_it() -> None:
    declared = parse(LEAST, "f").agents["a"].declared
    assert declared["migration"] == {
        "allowed": True, "when": "turn", "standby": "cold", "output": "continue", "replay": "auto",
        "tolerated_loss": "none", "trust": [], "deadline": 5.0, "hold": 30.0}


def test_tolerated_loss() -> None:
    for written, number in (("none", 0), ("any", None), ("0", 0), ("3", 3)):
        line = f"agents: {{a: {{pool: p, migration: {{tolerated_loss: {written}}}}}}}"
        assert parse(with_section("agents", line), "f").agents["a"].migration.tolerated_loss == number


def test_what_is_taken_as_proof(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    jwt = (f"{{jwks: 'file:{tmp_path}/jwks.json', issuer: i, audience: a, algorithms: [ES256], principal: p, "
           "leeway: 5s, tenant: org, jwks_refresh: 1m, jwks_keep: 1h}")
    keys = f"{{header: X-Key, keys: [{{name: n, sha256: {'ab' * 32}}}]}}"
    auth = parse(with_line(f"policies: {{x: {{auth: {{jwt: {jwt}, api_keys: {keys}}}}}}}"), "f").policies["x"].auth
    assert auth == Auth(Jwt(f"{tmp_path}/jwks.json", "i", "a", ("ES256",), "p", 5.0, "org", None, 60.0, 3600.0),
                        ApiKeys(b"x-key", {b"\xab" * 32: "n"}), False)


def test_policies_and_routes() -> None:
    config = parse(FULL, "f")
    limits = Limits(2, 64 * 1024, 128 * 1024, 8 * 1024, 50, 1.0, 60.0, 5.0, 1024 * 1024,
                    PerSecond(principal=3, agent=4), 9, 32 * 1024, PerSecond(tenant=7),
                    PerSecond(source=64 * 1024), 0.5)
    access = Access((ip_network("10.0.0.0/8"),), (ip_network("10.0.0.1/32"),), frozenset({b"GET"}),
                    frozenset({b"https://a.example:8443", b"null"}))
    assert config.policies["strict"] == Policy("strict", limits, frozenset({b"via"}), access=access)
    assert config.routes == (
        Route("a", "opaque", "strict", "a.example", "/h", SessionKey(KeySource.HEADER, "chat-id")),
        Route("a", "opaque", "default", None, "/c", SessionKey(KeySource.COOKIE, "Chat")),
        Route("a", "opaque", "default", None, "/q", SessionKey(KeySource.QUERY, "chat")),
        Route("a", "opaque", "default", None, "/p", SessionKey(KeySource.PATH, "1")),
        Route("a", "opaque", "default", None, "/j", SessionKey(KeySource.CLAIM, "sub")),
        Route("a", "openai", "default", None, "/b", SessionKey(KeySource.BODY, "meta.chat")),
    )
