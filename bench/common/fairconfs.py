"""The proxies of bench.fairness: as in confs.py, with a second node behind /flood, and requests beside WebSockets."""

from bench.common import confs
from bench.common.confs import Plan, envoy_address
from bench.common.proxies import Kind, edge, envoy, haproxy, nginx


def _haproxy(plan: Plan) -> str:
    return confs.haproxy(plan).replace("  default_backend nodes", "  use_backend flood if { path_beg /flood }\n"
                                       "  default_backend nodes").replace(
        "  option http-server-close\n", "") + f"backend flood\n  server a 127.0.0.1:{plan.nodes[1]}\n"


def _nginx(plan: Plan) -> str:
    voices = f"""    location / {{
      proxy_pass http://127.0.0.1:{plan.nodes[0]};"""
    flood = """    location /flood {
      proxy_pass http://flood;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $wanted;
      proxy_read_timeout 1h;
    }
"""
    pool = f"""  keepalive_requests 1000000000;
  map $http_upgrade $wanted {{ default upgrade; '' ''; }}
  upstream flood {{ server 127.0.0.1:{plan.nodes[1]}; keepalive 8; keepalive_requests 1000000000; }}
  access_log off;"""
    return confs.nginx(plan).replace(voices, flood + voices).replace("  access_log off;", pool)


def _envoy(plan: Plan) -> str:
    route = "routes: [{match: {prefix: /}"
    flood = "routes: [{match: {prefix: /flood}, route: {cluster: flood, timeout: 0s}}, {match: {prefix: /}"
    return confs.envoy(plan).replace(route, flood) + f"""\
  - name: flood
    type: STATIC
    load_assignment:
      cluster_name: flood
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {envoy_address(plan.nodes[1])}}}}}]}}]
"""


def _edge(plan: Plan) -> str:
    wide = "{match: {path: /}, agent: echo, protocol: opaque, policy: default}"
    return confs.edge(plan).replace("transports: [websocket]", "transports: [websocket, http1]").replace(
        "agents:\n", f"""\
  flood: {{nodes: [{{name: f, url: "http://127.0.0.1:{plan.nodes[1]}", zone: z1}}]}}
agents:
  flood: {{pool: flood, migration: {{replay: all, output: regenerate}}}}
""").replace(wide, wide + "\n  - {match: {path: /flood}, agent: flood, protocol: opaque, policy: default, "
             "session: {header: X-Session}}")


KINDS = {
    "edge": Kind("sbc.yaml", _edge, edge),
    "edge-pure": Kind("sbc.yaml", _edge, edge, (("SBC_PURE", "1"),)),
    "haproxy": Kind("haproxy.cfg", _haproxy, haproxy),
    "nginx": Kind("nginx.conf", _nginx, nginx),
    "envoy": Kind("envoy.yaml", _envoy, envoy),
}
