"""What validation finds, line by line, as operators read it."""

import pytest

from sbc.config.values import MOST_WORKERS
from tests.config.written import faults, with_line, with_section

NOT_HERE = "known, but not available in this version"
KEYS = "edge, admin, trunk, listeners, pools, agents, policies, abuse, admission, drain, marking, kernel, routes"


@pytest.mark.parametrize(("line", "fault"), [
    ("edge: {nam: x}", 'f:5:8: edge.nam: unknown key; did you mean "name"?'),
    ("edge: {zzz: x}",
     "f:5:8: edge.zzz: unknown key; one of name, workers, store, redis, address, interconnect, seal_keys, records, "
     "h2_engine, quic_engine"),
    ("polices: {}", 'f:5:1: polices: unknown key; did you mean "policies"?'),
    ("<<: {}", f'f:5:1: "<<": unknown key; one of {KEYS}'),
    ("edge: {name: 7}", 'f:5:14: edge.name: not a text (got 7); put it in quotes: "7"'),
    ("edge: {name: true}", 'f:5:14: edge.name: not a text (got true); put it in quotes: "true"'),
    ("edge: {name: a b}", 'f:5:14: edge.name: not usable here (got "a b"); '
                          "up to 64 letters, digits, dots, dashes or underscores"),
    ("edge: {name: [a]}", "f:5:14: edge.name: not a text (got a list); one word or line"),
    ("edge:", "f:5:6: edge: not a mapping (got null); "
              "keys with values: name, workers, store, redis, address, interconnect, seal_keys, records, h2_engine, "
              "quic_engine; {} for none"),
    ("edge: {seal_keys: k}", 'f:5:19: edge.seal_keys: not a list (got "k"); '
                             'entries in [ ], or on lines of their own that begin with "- "'),
    ("edge: {seal_keys: [{id: a}]}", 'f:5:20: edge.seal_keys.0.file: missing; write "file: /etc/sbc/FILE"'),
    ("edge: {workers: 400}",
     f"f:5:17: edge.workers: not a number of processes (got 400); auto, or 1 to {MOST_WORKERS}"),
    ("edge: {store: redis://h/x}",
     'f:5:15: edge.store: no Redis store: the database is a number (got "redis://h/x"); redis://HOST:PORT/DB, '
     "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or redis+cluster://HOST:PORT,HOST:PORT, with rediss for TLS"),
    ("edge: {store: disk}",
     'f:5:15: edge.store: not a store (got "disk"); "memory:" in quotes, sqlite:PATH such as sqlite:var/sbc.db, '
     "or redis://HOST:PORT"),
    ("edge: {records: 5}", 'f:5:17: edge.records: not a text (got 5); put it in quotes: "5"'),
    ("admin: {listen: 9070}", "f:5:17: admin.listen: a port without an address (got 9070); "
                              "127.0.0.1:9070, or 0.0.0.0:9070 to be reached from outside"),
    ("trunk: {}", 'f:5:8: trunk.listen: missing; write "listen: 127.0.0.1:8080"'),
    ("trunk: {listen: '127.0.0.1:0', tls: {certificates: []}}",
     "f:5:52: trunk.tls.certificates: too few entries; at least 1"),
    ("trunk: {listen: '127.0.0.1:0', tls: {certificates: [], client_certificate: x}}",
     'f:5:76: trunk.tls.client_certificate: not a word that is known here (got "x"); write required or optional'),
    ("trunk: {listen: '127.0.0.1:0', tls: {certificates: [], min_version: 1.2}}",
     'f:5:69: trunk.tls.min_version: not a text (got 1.2); put it in quotes: "1.2"'),
    ("trunk: {listen: '127.0.0.1:0', tls: {certificates: [], min_version: '1.1'}}",
     'f:5:69: trunk.tls.min_version: not a word that is known here (got "1.1"); write 1.2 or 1.3'),
    ("policies: {x: {auth: {}}}", "f:5:22: policies.x.auth: nothing is taken as proof; "
                                  "one of jwt, api_keys, certificate"),
    ("policies: {x: {auth: {jwt: {jwks: 'https://u:p@h/jwks', issuer: i, audience: a}}}}",
     'f:5:35: policies.x.auth.jwt.jwks: not a URL of an issuer\'s keys (got "https://***@h/jwks"); '
     "file:PATH, or https://HOST/PATH without user, password and fragment"),
    ("policies: {x: {auth: {jwt: {jwks: 'https://h/jwks', jwks_ca: /none, issuer: i, audience: a}}}}",
     'f:5:62: policies.x.auth.jwt.jwks_ca: cannot be read: No such file or directory (got "/none"); '
     "a file that this process may read"),
    ("policies: {x: {auth: {jwt: {jwks: x, issuer: i, audience: a}}}}",
     'f:5:35: policies.x.auth.jwt.jwks: not where an issuer\'s keys are (got "x"); '
     "file:PATH, or https://HOST/PATH without user, password and fragment"),
    ("policies: {x: {auth: {jwt: {jwks: 'file:/none', issuer: i, audience: a}}}}",
     "f:5:35: policies.x.auth.jwt.jwks: cannot be read: No such file or directory "
     '(got "file:/none"); a file that this process may read'),
    ("policies: {x: {auth: {certificate: true, api_keys: {header: cookie, keys: []}}}}",
     'f:5:61: policies.x.auth.api_keys.header: a header with a meaning of its own (got "cookie"); X-Api-Key'),
    ("policies: {x: {limits: {messages_per_second: 0}}}",
     "f:5:46: policies.x.limits.messages_per_second: too small (got 0); at least 1"),
    ("policies: {x: {limits: {idle: 300}}}", "f:5:31: policies.x.limits.idle: no unit (got 300); "
                                             "write 300s, or a duration such as 250ms, 30s, 15m or 8h"),
    ("policies: {x: {limits: {message: 64k}}}",
     'f:5:34: policies.x.limits.message: not a size (got "64k"); write 64KB or 64KiB'),
    ("policies: {x: {limits: {message: 0}}}",
     "f:5:34: policies.x.limits.message: too small (got 0); at least 1B"),
    ("policies: {x: {limits: {journal: 1GiB}}}",
     'f:5:34: policies.x.limits.journal: too large (got "1GiB"); at most 64MiB'),
    ("policies: {x: {limits: {headers: '9'}}}", 'f:5:34: policies.x.limits.headers: not a whole number (got "9"); '
                                                "a number from 8 to 1000, without quotes or unit"),
    ("policies: {x: {headers: {hide: ['a b']}}}",
     'f:5:33: policies.x.headers.hide.0: not usable here (got "a b"); a name as RFC 9110 allows it'),
    ("policies: {'a/b': {}}", 'f:5:12: policies."a/b": not usable here (got "a/b"); '
                              "up to 64 letters, digits, dots, dashes or underscores"),
    ("policies: []", "f:5:11: policies: not a mapping (got an empty list); keys with values; {} for none"),
])
def test_a_fault_in_one_section(line: str, fault: str) -> None:
    assert fault in faults(with_line(line))


@pytest.mark.parametrize(("section", "line", "fault"), [
    ("listeners", "listeners: []", "f:1:12: listeners: too few entries; at least 1"),
    ("listeners", 'listeners: [{name: a, listen: "127.0.0.1:0", transports: [websockt]}]',
     'f:1:59: listeners.0.transports.0: not a word that is known here (got "websockt"); '
     'write websocket or http1 or http2 or quic'),
    ("listeners", 'listeners: [{name: a, listen: "127.0.0.1:0", transports: []}]',
     "f:1:58: listeners.0.transports: too few entries; at least 1"),
    ("listeners", 'listeners: [{name: a, listen: "127.0.0.1:0", proxy_protocol: on}]',
     'f:1:62: listeners.0.proxy_protocol: not a word that is known here (got "on"); write off or accept or require'),
    ("listeners", 'listeners: [{name: a, listen: "127.0.0.1:0", proxy_protocol: accept, proxy_from: [10.1.2.3/8]}]',
     "f:1:83: listeners.0.proxy_from.0: an address within a network, not the network (got \"10.1.2.3/8\"); "
     "10.0.0.0/8, or the address without /8"),
    ("listeners", 'listeners: [{name: a, listen: "127.0.0.1:0", trusted_hops: 17}]',
     "f:1:60: listeners.0.trusted_hops: too large (got 17); at most 16"),
    ("pools", "pools: {p: }", "f:2:12: pools.p: not a mapping (got null); "
                              "keys with values: nodes, discover, tls, probe; {} for none"),
    ("pools", "pools: {p: {discover: {every: 5s}}}",
     "f:2:23: pools.p.discover: nowhere to look; one of dns, files, kubernetes"),
    ("pools", "pools: {p: {discover: {files: {paths: [a]}, dns: {name: a.b, port: 1}}}}",
     "f:2:23: pools.p.discover: dns and files at once; one of dns, files, kubernetes"),
    ("pools", "pools: {p: {discover: {dns: {name: a.b}}}}",
     "f:2:29: pools.p.discover.dns: where the nodes listen is not clear; write port, or srv: true"),
    ("pools", "pools: {p: {discover: {dns: {name: a.b, srv: true, port: 1}}}}",
     "f:2:29: pools.p.discover.dns: where the nodes listen is not clear; leave port out, for SRV records say it"),
    ("pools", "pools: {p: {discover: {kubernetes: {service: T}}}}",
     'f:2:46: pools.p.discover.kubernetes.service: not usable here (got "T"); a name in Kubernetes'),
    ("pools", "pools: {p: {probe: {every: 49ms}}}",
     'f:2:28: pools.p.probe.every: too small (got "49ms"); at least 50ms'),
    ("pools", "pools: {p: {probe: {fall: 0}}}", "f:2:27: pools.p.probe.fall: too small (got 0); at least 1"),
    ("pools", "pools: {p: {nodes: [{name: n, url: 'h:1'}]}}",
     'f:2:36: pools.p.nodes.0.url: not a URL of a node (got "h:1"); '
     "http://, https://, h2c:// or h2:// and HOST:PORT, such as http://127.0.0.1:9001"),
    ("pools", "pools: {p: {nodes: [{name: n, url: 'http://h:1', labels: {gpu: 1}}]}}",
     'f:2:64: pools.p.nodes.0.labels.gpu: not a text (got 1); put it in quotes: "1"'),
    ("agents", "agents: {a: {pool: p, continuity: interactiv}}",
     'f:3:35: agents.a.continuity: not a word that is known here (got "interactiv"); '
     "write synchronous or interactive or autonomous"),
    ("agents", "agents: {a: {pool: p, migration: {standby: hot}}}",
     f'f:3:44: agents.a.migration.standby: {NOT_HERE} (got "hot"); write cold or warm'),
    ("agents", "agents: {a: {pool: p, migration: {allowed: yes}}}",
     'f:3:44: agents.a.migration.allowed: neither true nor false (got "yes"); true or false, without quotes'),
    ("agents", "agents: {a: {pool: p, migration: {tolerated_loss: some}}}",
     'f:3:51: agents.a.migration.tolerated_loss: not a number of messages (got "some"); '
     "none, any, or a whole number up to 1000000"),
    ("agents", "agents: {a: {}}", 'f:3:13: agents.a.pool: missing; write "pool: a"'),
    ("agents", "agents: {1a: {pool: p}}", 'f:3:10: agents.1a: not usable here (got "1a"); '
                                          "a letter, then up to 63 letters, digits, dots, dashes or underscores"),
    ("routes", "routes: [{agent: a, protocol: mpc}]",
     'f:4:31: routes.0.protocol: not a word that is known here (got "mpc"); '
     "write opaque or sse or mcp or a2a or agentcore or realtime or openai"),
    ("routes", "routes: [{agent: a, match: {path: chat}}]",
     'f:4:35: routes.0.match.path: not a path (got "chat"); '
     "a path that begins with / and has no query, such as /chat"),
    ("routes", "routes: [{agent: a, match: {host: 'a:80'}}]",
     'f:4:35: routes.0.match.host: not a host name (got "a:80"); '
     "a name without scheme, port or wildcard, such as mcp.example.com"),
    ("routes", "routes: [{agent: a, session: {json_field: a..b}}]",
     'f:4:43: routes.0.session.json_field: not usable here (got "a..b"); names of fields with dots between them'),
    ("routes", "routes: [{agent: a, session: {path_segment: 64}}]",
     "f:4:45: routes.0.session.path_segment: too large (got 64); at most 63"),
])
def test_a_fault_in_a_section_that_must_be_there(section: str, line: str, fault: str) -> None:
    assert fault in faults(with_section(section, line))


def test_sections_that_must_be_there() -> None:
    assert faults("edge: {}") == [
        'f:1:1: agents: missing; write "agents:" and what it holds',
        'f:1:1: listeners: missing; write "listeners:" and its entries',
        'f:1:1: pools: missing; write "pools:" and what it holds',
        'f:1:1: routes: missing; write "routes:" and its entries',
    ]


def test_what_is_no_mapping_at_all() -> None:
    assert faults("just words") == [f'f:1:1: not a mapping (got "just words"); keys with values: {KEYS}']
    assert faults("- a") == [f"f:1:1: not a mapping (got a list); keys with values: {KEYS}"]


def test_what_is_shown_of_a_value_is_short_and_one_line() -> None:
    (fault,) = faults(with_line('edge: {name: "a\\n\\e[31m' + "x" * 500 + '"}'))
    assert '(got "a\\n\\u001b[31mxxx' in fault
    assert len(fault) < 250
