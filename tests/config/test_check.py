"""Faults between the sections."""

from pathlib import Path

import pytest
import trustme

from sbc.config import parse
from sbc.config.model import SharedAddress
from tests.config.written import faults, with_line, with_section

SOURCES = "one of header, cookie, query, path_segment, jwt_claim, json_field"
LISTENER = '{name: %s, listen: "%s"}'


@pytest.mark.parametrize(("section", "line", "fault"), [
    ("agents", "agents: {a: {pool: pp}}", 'f:3:20: agents.a.pool: no such pool (got "pp"); did you mean "p"?'),
    ("routes", "routes: [{agent: zzz}]", 'f:4:18: routes.0.agent: no such agent (got "zzz"); one of a'),
    ("routes", "routes: [{agent: a, policy: defalt}]",
     'f:4:29: routes.0.policy: no such policy (got "defalt"); did you mean "default"?'),
    ("pools", "pools: {p: {nodes: [{name: n, url: 'http://h:1'}, {name: n, url: 'http://h:2'}]}}",
     'f:2:58: pools.p.nodes.1.name: the same name as pools.p.nodes.0 (got "n"); another name'),
    ("listeners", f"listeners: [{LISTENER % ('x', '127.0.0.1:0')}, {LISTENER % ('x', '127.0.0.1:0')}]",
     'f:1:54: listeners.1.name: the same name as listeners.0 (got "x"); another name'),
    ("listeners", f"listeners: [{LISTENER % ('x', '127.0.0.1:80')}, {LISTENER % ('y', '0.0.0.0:80')}]",
     'f:1:66: listeners.1.listen: the address of listeners.0.listen (got "0.0.0.0:80"); another port'),
    ("listeners", f"listeners: [{LISTENER % ('x', '0.0.0.0:9070')}]",
     'f:1:31: listeners.0.listen: the address of admin.listen (got "0.0.0.0:9070"); another port'),
    ("listeners", 'listeners: [{name: x, listen: "127.0.0.1:0", transports: [websocket, websocket]}]',
     'f:1:70: listeners.0.transports.1: the same transport twice (got "websocket"); each once'),
    ("listeners", 'listeners: [{name: x, listen: "0.0.0.0:0", proxy_protocol: require}]',
     'f:1:60: listeners.0.proxy_protocol: from nobody: proxy_from is missing (got "require"); '
     "write proxy_from: and the networks of the proxies, such as [10.0.0.0/8]"),
    ("listeners", 'listeners: [{name: x, listen: "127.0.0.1:0", transports: [http2, quic]}]',
     'f:1:66: listeners.0.transports.1: QUIC is never without TLS (got "quic"); write tls:, or leave quic out'),
    ("listeners", 'listeners: [{name: x, listen: "127.0.0.1:0", proxy_from: ["::1"]}]',
     "f:1:58: listeners.0.proxy_from: proxy_protocol is off; "
     "write proxy_protocol: accept or require, or leave this out"),
    ("routes", "routes: [{agent: a, match: {path: /x/, host: A.b}}, {agent: a, match: {path: /x, host: a.B}}]",
     "f:4:71: routes.1.match: the same as of routes.0; another path or host, for this route would never be taken"),
    ("routes", "routes: [{agent: a}, {agent: a}]",
     "f:4:22: routes.1.match: the same as of routes.0; another path or host, for this route would never be taken"),
    ("routes", "routes: [{agent: a, session: {header: A, cookie: B}}]",
     f"f:4:30: routes.0.session: 2 sources of the key; {SOURCES}"),
    ("routes", "routes: [{agent: a, session: {}}]",
     f"f:4:30: routes.0.session: 0 sources of the key; {SOURCES}"),
    ("routes", "routes: [{agent: a, session: {header: null}}]",
     f"f:4:30: routes.0.session: 0 sources of the key; {SOURCES}"),
])
def test_a_fault_between_sections(section: str, line: str, fault: str) -> None:
    assert faults(with_section(section, line)) == [fault]


def test_nobody_speaks_the_proxy_protocol_for_quic() -> None:
    line = 'listeners: [{name: x, listen: "127.0.0.1:0", proxy_protocol: accept, transports: [quic]}]'
    assert [fault for fault in faults(with_section("listeners", line)) if "without TLS" not in fault] == [
        "f:1:83: listeners.0.transports.0: the PROXY protocol is of TCP: nobody could speak it for QUIC "
        '(got "quic"); leave quic out, or give it a listener of its own']


def test_the_quic_engines_ask_for_no_certificate() -> None:
    line = 'listeners: [{name: x, listen: "127.0.0.1:0", transports: [quic], tls: {certificates: [], client_ca: x}}]'
    assert "f:1:59: listeners.0.transports.0: the QUIC engines ask no client for a certificate" in " ".join(
        faults(with_section("listeners", line)))


@pytest.mark.parametrize(("tls", "fault"), [
    ("{cert: /x}", 'pools.p.tls.cert: no key beside it (got "/x"); write key: too'),
    ("{key: /x}", 'pools.p.tls.key: no cert beside it (got "/x"); write cert: too'),
    ("{ca: /x}", "pools.p.tls.ca: cannot be read"),
    ("{cert: /x, key: /y}", "pools.p.tls.cert: cannot be read"),
    ("{}", "pools.p.nodes.0.url: pools.p.tls is written, and this is without TLS"),
    ("{server_name: 'a:1'}", "pools.p.tls.server_name: not a host name"),
])
def test_tls_to_nodes(tls: str, fault: str) -> None:
    pool = f"pools: {{p: {{nodes: [{{name: n, url: 'http://h:1'}}, {{name: m, url: 'https://h:1'}}], tls: {tls}}}}}"
    found = faults(with_section("pools", pool))
    assert any(fault in said for said in found) and not any("nodes.1" in said for said in found)


def test_each_admin_token_has_a_name_and_a_digest_of_its_own() -> None:
    one, other = "ab" * 32, "cd" * 32
    line = f"admin: {{tokens: [{{name: a, sha256: {one}}}, {{name: a, sha256: {other}}}, {{name: b, sha256: {one}}}]}}"
    assert [told.split(": ", 1)[1] for told in faults(with_line(line))] == [
        'admin.tokens.1.name: the same name as admin.tokens.0 (got "a"); another name',
        f'admin.tokens.2.sha256: the same sha256 as admin.tokens.0 (got "{one[:59]}...); another sha256']


def test_the_trunk_and_the_admin_door_must_not_share_an_address() -> None:
    assert faults(with_line('trunk: {listen: "127.0.0.1:9070"}')) == [
        'f:5:17: trunk.listen: the address of admin.listen (got "127.0.0.1:9070"); another port']


def test_seal_keys_have_ids_of_their_own() -> None:
    assert faults(with_line("edge: {seal_keys: [{id: k, file: a}, {id: k, file: b}]}")) == [
        'f:5:43: edge.seal_keys.1.id: the same id as edge.seal_keys.0 (got "k"); another id']


def test_the_file_of_the_trunks_secret_is_there_and_holds_something(tmp_path: Path) -> None:
    line = 'trunk: {listen: "127.0.0.1:0", secret_file: "%s"}'
    path = tmp_path / "secret"
    assert faults(with_line(line % path)) == [
        "f:5:45: trunk.secret_file: cannot be read: No such file or directory "
        f'(got "{_short(path)}); a file that this process may read']
    path.write_text(" \n")
    assert faults(with_line(line % path)) == [
        f'f:5:45: trunk.secret_file: an empty file (got "{_short(path)}); a file that holds the secret']


def _short(path: Path) -> str:
    """A path in quotes as a fault shows it, without the opening quote."""
    quoted = f'"{path}"'
    return (quoted if len(quoted) <= 60 else quoted[:60] + "...")[1:]


def test_faults_in_and_between_the_sections_are_told_together_in_their_order() -> None:
    text = """\
edge: {nam: x}
listeners:
  - {name: a, listen: "127.0.0.1:0", transports: [smtp1]}
  - {name: a, listen: "nowhere", tls: {certificates: [{cert: /nonexistent, key: 5}]}}
pools: {p: {probe: {every: 1}}}
pools: {}
agents:
  a: {pool: q, migration: {hold: 1x, hodl: 1s}}
routes:
  - {agent: b, policy: x}
"""
    told = [": ".join(line.split(": ")[:3]) for line in faults(text)]
    assert told == [
        'f:1:8: edge.nam: unknown key; did you mean "name"?',
        "f:3:51: listeners.0.transports.0: not a word that is known here (got \"smtp1\"); "
        "write websocket or http1 or http2 or quic",
        'f:4:12: listeners.1.name: the same name as listeners.0 (got "a"); another name',
        'f:4:23: listeners.1.listen: not an address (got "nowhere"); an IP address and a port, '
        'such as 127.0.0.1:8080 or "[::1]:8080"',
        "f:4:62: listeners.1.tls.certificates.0.cert: cannot be read",
        "f:4:81: listeners.1.tls.certificates.0.key: not a text (got 5); put it in quotes",
        "f:5:28: pools.p.probe.every: no unit (got 1); write 1s, or a duration such as 250ms, 30s, 15m or 8h",
        "f:6:1: pools: duplicate key; each key once; it stands on line 5 already",
        'f:8:13: agents.a.pool: no such pool (got "q"); one of p',
        'f:8:34: agents.a.migration.hold: not a duration (got "1x"); a duration such as 250ms, 30s, 15m or 8h',
        'f:8:38: agents.a.migration.hodl: unknown key; did you mean "hold"?',
        'f:10:13: routes.0.agent: no such agent (got "b"); one of a',
        'f:10:24: routes.0.policy: no such policy (got "x"); one of default',
    ]


@pytest.mark.parametrize(("abuse", "right"), [
    ("{block: 200}", "write kernel: {}"),
    ("{block: 100}\nkernel: {}", "more than refuse, which is 100"),
    ("{refuse: 300, block: 200}\nkernel: {}", "more than refuse, which is 300"),
    ("{refuse: null, block: 200}\nkernel: {}", "write refuse, too"),
])
def test_sources_are_blocked_by_somebody_and_after_they_were_refused(abuse: str, right: str) -> None:
    [fault] = faults(with_line(f"abuse: {abuse}"))
    assert fault.startswith("f:5:") and "abuse.block" in fault and right in fault


@pytest.mark.parametrize(("headers", "where"), [
    ("{set: {Content-Length: '1'}}", "headers.set.Content-Length"),
    ("{remove: [X-One, Session-Id]}", "headers.remove.1"),
    ("{tell: {X-Forwarded-For: 1.2.3.4}}", "headers.tell.X-Forwarded-For"),
    ("{remove: [chat]}", "headers.remove.0"),
    ("{tell: {Chat: x}}", "headers.tell.Chat"),
])
def test_headers_that_are_not_for_policies_to_change(headers: str, where: str) -> None:
    text = with_section("routes", "routes: [{agent: a, session: {header: Chat}}]")
    [fault] = faults(f"{text}\npolicies: {{default: {{headers: {headers}}}}}\n")
    assert f"policies.default.{where}" in fault


def test_an_address_that_edges_share_needs_a_store_and_a_warden() -> None:
    def told(edge: str, more: str = "") -> list[str]:
        return faults(with_line(f"edge: {{{edge}}}") + more)
    address = "address: {share: 192.0.2.10/24, device: eth0%s}"
    assert told(address % "") == [
        "f:5:17: edge.address: no store says which edge has it; edge.store: redis://HOST:PORT",
        "f:5:17: edge.address: nobody is there to put it on the device; write kernel: {}"]
    shared, kernel = "store: redis://h, " + address, "\nkernel: {}"
    assert parse(with_line(f"edge: {{{shared % ''}}}") + kernel, "f").edge.address == SharedAddress(
        "192.0.2.10/24", "eth0", 10.0)
    assert told(shared % ", lease: 1m", kernel) == [
        'f:5:79: edge.address.lease: longer than the edge owns its sessions (got "1m"); 45s (edge.redis.lease) at most']
    for wrong in ("192.0.2.10", "192.0.2.10/33", "127.0.0.1/8", "224.0.0.1/24", "::/0", "fe80::1%eth0/64"):
        assert "edge.address.share" in told((shared % "").replace("192.0.2.10/24", f'"{wrong}"'), kernel)[0]


def test_a_trunk_is_advertised_by_its_url() -> None:
    written = 'trunk: {listen: "0.0.0.0:9071", advertise: "%s"}'
    trunk = parse(with_line(written % "wss://edge-1.internal:9071/trunk"), "f").trunk
    assert trunk is not None and trunk.advertise == "wss://edge-1.internal:9071/trunk"
    for wrong in ("edge-1.internal:9071", "wss://edge-1.internal:9071", "x" * 70_000):
        assert "trunk.advertise: not the URL of a trunk" in faults(with_line(written % wrong))[0]


def test_an_interconnect_needs_a_store_that_edges_share_and_an_address_that_leads_here(tmp_path: Path) -> None:
    leaf = trustme.CA()
    own = leaf.issue_cert("edge-1.internal")
    (tmp_path / "edge.pem").write_bytes(own.private_key_and_cert_chain_pem.bytes())
    (tmp_path / "ca.pem").write_bytes(leaf.cert_pem.bytes())
    tls = f"tls: {{cert: {tmp_path}/edge.pem, key: {tmp_path}/edge.pem, ca: {tmp_path}/ca.pem}}"

    def written(listen: str, more: str = "", store: str = "redis://h") -> str:
        return with_line(f'edge: {{store: "{store}", interconnect: {{listen: "{listen}", {more}{tls}}}}}')
    found = parse(written("0.0.0.0:7070", "advertise: edge-1.internal:7071, "), "f").edge.interconnect
    assert found is not None and (str(found.listen), found.advertise) == ("0.0.0.0:7070", "edge-1.internal:7071")
    assert faults(written("127.0.0.1:7070", store="memory:")) == [
        "f:5:40: edge.interconnect: there are no other edges without a store that edges share; "
        "edge.store: redis://HOST:PORT, or leave it out"]
    assert faults(written("0.0.0.0:7070")) == [
        'f:5:51: edge.interconnect.listen: no address at which another edge could reach this one (got "0.0.0.0:7070"); '
        "advertise: HOST:PORT beside it"]
    assert "edge.interconnect.advertise" in faults(written("0.0.0.0:7070", "advertise: nowhere, "))[0]
    assert "edge.interconnect.tls.ca" in faults(written("127.0.0.1:7070").replace("ca.pem", "none.pem"))[0]
