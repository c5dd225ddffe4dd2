"""The configuration of each proxy under test: one core, one node, WebSocket on a plain and a TLS 1.3 listener."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.common.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Plan:
    """What a proxy is to do, in a folder of its own."""

    folder: Path
    plain: int
    secure: int
    admin: int
    trunk: int
    nodes: Sequence[int]
    """The ports of its nodes; benches of WebSockets have one."""
    certificate: Certificate
    sessions: int
    """How many sessions it must be able to hold."""


def haproxy(plan: Plan) -> str:
    return f"""
global
  nbthread 1
  maxconn {plan.sessions}
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  option http-server-close
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:{plan.plain}
  bind 127.0.0.1:{plan.secure} ssl crt {plan.certificate.both}
  default_backend nodes
backend nodes
  server a 127.0.0.1:{plan.nodes[0]}
"""


def nginx(plan: Plan) -> str:
    temporary = "\n".join(f"  {kind}_temp_path {plan.folder}/{kind};"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""
daemon off;
master_process off;
worker_processes 1;
pid {plan.folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {2 * plan.sessions + 64}; }}
http {{
{temporary}
  access_log off;
  server {{
    listen 127.0.0.1:{plan.plain};
    listen 127.0.0.1:{plan.secure} ssl;
    ssl_certificate {plan.certificate.cert};
    ssl_certificate_key {plan.certificate.key};
    ssl_protocols TLSv1.3;
    location / {{
      proxy_pass http://127.0.0.1:{plan.nodes[0]};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }}
  }}
}}
"""


def envoy(plan: Plan) -> str:
    return f"""
node: {{id: bench, cluster: bench}}
layered_runtime:
  layers: [{{name: limits, static_layer: {{overload: {{global_downstream_max_connections: {plan.sessions}}}}}}}]
static_resources:
  listeners:
  - {_envoy_listener("plain", plan.plain)}
  - {_envoy_listener("secure", plan.secure, plan.certificate)}
  clusters:
  - name: nodes
    type: STATIC
    circuit_breakers: {{thresholds: [{{max_connections: {plan.sessions}, max_requests: {plan.sessions}}}]}}
    load_assignment:
      cluster_name: nodes
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {envoy_address(plan.nodes[0])}}}}}]}}]
"""


def envoy_address(port: int) -> str:
    return f"{{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}"


def _envoy_listener(name: str, port: int, certificate: Certificate | None = None) -> str:
    tls = "" if certificate is None else f"""
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params: {{tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}}
            tls_certificates:
            - certificate_chain: {{filename: {certificate.cert}}}
              private_key: {{filename: {certificate.key}}}"""
    return f"""name: {name}
    address: {envoy_address(port)}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          stream_idle_timeout: 3600s
          upgrade_configs: [{{upgrade_type: websocket}}]
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: nodes, timeout: 0s}}}}]}}
          http_filters:
          - name: router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router{tls}"""


def edge(plan: Plan) -> str:
    """Replay all and regenerate: both directions of every session are journaled."""
    pool = f"""nodes: [{{name: a, url: "http://127.0.0.1:{plan.nodes[0]}", zone: z1, capacity: {plan.sessions}}}]"""
    return edge_of(plan, pool, "{replay: all, output: regenerate}")


def edge_of(plan: Plan, pool: str, migration: str, *, name: str = "bench", store: str = "memory:",
            durability: str = "async", seal_key: Path | None = None, redis: str = "null") -> str:
    """An edge with one pool and one agent. `pool` and `migration` are YAML."""
    return f"""
edge:
  name: {name}
  workers: 1
  store: "{store}"
  redis: {redis}
  seal_keys: [{{id: k1, file: {seal_key or plan.folder / "seal.key"}}}]
admin: {{listen: "127.0.0.1:{plan.admin}"}}
trunk: {{listen: "127.0.0.1:{plan.trunk}"}}
listeners:
  - {{name: plain, listen: "127.0.0.1:{plan.plain}", transports: [websocket]}}
  - name: secure
    listen: 127.0.0.1:{plan.secure}
    transports: [websocket]
    tls: {{certificates: [{{cert: {plan.certificate.cert}, key: {plan.certificate.key}}}], min_version: "1.3"}}
pools:
  nodes: {{{pool}}}
agents:
  echo: {{pool: nodes, durability: {durability}, migration: {migration}}}
policies:
  default:
    limits: {{sessions_per_principal: {plan.sessions}}}
routes:
  - {{match: {{path: /}}, agent: echo, protocol: opaque, policy: default}}
"""
