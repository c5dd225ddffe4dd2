"""The configuration of each proxy under test for HTTP: one core, two nodes, HTTP/1.1 and HTTP/2, plain and TLS 1.3.

All pin by the header X-Session (the peers by a consistent hash of it, the edge by a session), all keep connections to
the nodes, all tell the nodes whom a request is from, none writes an access log. `h2c`: the nodes are spoken to in
HTTP/2 instead of HTTP/1.1.
"""

import json

from bench.common.confs import Plan, envoy_address


def haproxy(plan: Plan, h2c: bool = False) -> str:
    servers = "\n".join(f"  server n{port} 127.0.0.1:{port}{' proto h2' if h2c else ''}" for port in plan.nodes)
    return f"""
global
  nbthread 1
  maxconn {plan.sessions}
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  http-reuse always
  option forwardfor
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend front
  bind 127.0.0.1:{plan.plain}
  bind 127.0.0.1:{plan.secure} ssl crt {plan.certificate.both} alpn h2,http/1.1
  default_backend nodes
backend nodes
  balance hdr(X-Session)
  hash-type consistent
{servers}
"""


def nginx(plan: Plan) -> str:
    """HTTP/2 over TLS alone: on a plain port this version speaks one or the other."""
    servers = "\n".join(f"    server 127.0.0.1:{port};" for port in plan.nodes)
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
  keepalive_requests 1000000000;
  upstream nodes {{
    hash $http_x_session consistent;
{servers}
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{plan.plain};
    listen 127.0.0.1:{plan.secure} ssl http2;
    ssl_certificate {plan.certificate.cert};
    ssl_certificate_key {plan.certificate.key};
    ssl_protocols TLSv1.3;
    location / {{
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }}
  }}
}}
"""


def caddy(plan: Plan, h2c: bool = False) -> str:
    nodes = " ".join(f"{'h2c://' if h2c else ''}127.0.0.1:{port}" for port in plan.nodes)
    forward = f"""reverse_proxy {nodes} {{
    lb_policy header X-Session
    flush_interval -1
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}"""
    return f"""
{{
  admin off
  auto_https off
  persist_config off
  log {{
    level WARN
  }}
  servers {{
    protocols h1 h2 h2c
  }}
}}
http://127.0.0.1:{plan.plain} {{
  {forward}
}}
https://localhost:{plan.secure} {{
  bind 127.0.0.1
  tls {plan.certificate.cert} {plan.certificate.key} {{
    protocols tls1.3
  }}
  {forward}
}}
"""


def envoy(plan: Plan, h2c: bool = False) -> str:
    hosts = ", ".join(f"{{endpoint: {{address: {envoy_address(port)}}}}}" for port in plan.nodes)
    speaks = "http2_protocol_options" if h2c else "http_protocol_options"
    return f"""
node: {{id: bench, cluster: bench}}
layered_runtime:
  layers: [{{name: limits, static_layer: {{overload: {{global_downstream_max_connections: {plan.sessions}}}}}}}]
static_resources:
  listeners:
  - {_envoy_listener("plain", plan.plain)}
  - {_envoy_listener("secure", plan.secure)}
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_params: {{tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}}
            tls_certificates:
            - certificate_chain: {{filename: {plan.certificate.cert}}}
              private_key: {{filename: {plan.certificate.key}}}
  clusters:
  - name: nodes
    type: STATIC
    lb_policy: RING_HASH
    circuit_breakers: {{thresholds: [{{max_connections: {plan.sessions}, max_requests: {plan.sessions}}}]}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{{speaks}: {{}}}}
    load_assignment: {{cluster_name: nodes, endpoints: [{{lb_endpoints: [{hosts}]}}]}}
"""


def _envoy_listener(name: str, port: int) -> str:
    return f"""name: {name}
    address: {envoy_address(port)}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          stream_idle_timeout: 3600s
          use_remote_address: true
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: nodes, timeout: 0s, hash_policy: [{{header: {{header_name: X-Session}}}}]}}
          http_filters:
          - name: router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"""


def bare(plan: Plan) -> str:
    """For bench/bare.py."""
    return json.dumps({"plain": plan.plain, "secure": plan.secure, "nodes": list(plan.nodes),
                       "cert": str(plan.certificate.cert), "key": str(plan.certificate.key)})


def edge(plan: Plan, protocol: str = "opaque", engine: str = "auto", h2c: bool = False, keyed: bool = True,
         migration: str = "{replay: all, output: regenerate}") -> str:
    """With replay all, requests are kept in the journal as well as answers. keyed: whether X-Session names a session;
    if not, every request stands alone."""
    scheme = "h2c" if h2c else "http"
    nodes = "\n".join(f'  - {{name: n{number}, url: "{scheme}://127.0.0.1:{port}", zone: z{number}, '
                      f'capacity: {plan.sessions}}}' for number, port in enumerate(plan.nodes))
    session = ", session: {header: X-Session}" if keyed else ""
    return f"""
edge:
  name: bench
  workers: 1
  store: "memory:"
  seal_keys: [{{id: k1, file: {plan.folder}/seal.key}}]
  h2_engine: {engine}
admin: {{listen: "127.0.0.1:{plan.admin}"}}
listeners:
- {{name: plain, listen: "127.0.0.1:{plan.plain}", transports: [http1, http2]}}
- name: secure
  listen: 127.0.0.1:{plan.secure}
  transports: [http1, http2]
  tls: {{certificates: [{{cert: {plan.certificate.cert}, key: {plan.certificate.key}}}], min_version: "1.3"}}
pools:
  nodes:
    nodes:
{_indented(nodes)}
agents:
  web: {{pool: nodes, migration: {migration}}}
policies:
  default:
    limits: {{sessions_per_principal: {plan.sessions}}}
routes:
- {{match: {{path: /}}, agent: web, protocol: {protocol}, policy: default{session}}}
"""


def _indented(lines: str) -> str:
    return "\n".join(f"  {line}" for line in lines.splitlines())
