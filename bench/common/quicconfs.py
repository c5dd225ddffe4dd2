"""The configuration of each proxy under test for HTTP/3: as for HTTP/2 over TLS (webconfs.py), and the same on UDP."""

import copy
from typing import Any

import yaml

from bench.common import webconfs
from bench.common.confs import Plan

IDLE = "1h"


def edge(plan: Plan, protocol: str = "opaque", engine: str = "auto") -> str:
    """engine: that of QUIC."""
    made = yaml.safe_load(webconfs.edge(plan, protocol))
    made["edge"]["quic_engine"] = engine
    made["listeners"][1]["transports"].append("quic")
    return yaml.safe_dump(made)


def envoy(plan: Plan) -> str:
    """A listener for UDP beside that for TCP, with the same route. Envoy reads many datagrams at a time (GRO)."""
    made = yaml.safe_load(webconfs.envoy(plan))
    listeners = made["static_resources"]["listeners"]
    quic: dict[str, Any] = copy.deepcopy(listeners[1])
    quic["name"] = "quic"
    quic["address"]["socket_address"]["protocol"] = "UDP"
    quic["udp_listener_config"] = {
        "quic_options": {"idle_timeout": "3600s", "quic_protocol_options": {"max_concurrent_streams": 100}},
        "downstream_socket_config": {"prefer_gro": True}}
    chain = quic["filter_chains"][0]
    tls = chain["transport_socket"]["typed_config"]
    tls["common_tls_context"]["alpn_protocols"] = ["h3"]
    chain["transport_socket"] = {"name": "quic", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport",
        "downstream_tls_context": {key: value for key, value in tls.items() if key != "@type"}}}
    chain["filters"][0]["typed_config"] |= {"codec_type": "HTTP3", "http3_protocol_options": {}}
    listeners.append(quic)
    return yaml.safe_dump(made)


def caddy(plan: Plan) -> str:
    return webconfs.caddy(plan).replace("protocols h1 h2 h2c", f"protocols h1 h2 h2c h3\n    timeouts {{\n"
                                        f"      idle {IDLE}\n    }}")


def traefik(plan: Plan) -> str:
    """Its routes stand in a file beside. It has no hash of a header: one route is for odd sessions, one for the even
    ones, and both have the same node for one key."""
    routes = plan.folder / "routes.yaml"
    parity = ("[02468]$", "[13579]$")
    names = [f"n{number}" for number in range(len(plan.nodes))]
    routers: dict[str, Any] = {}
    for name, digits in zip(names, parity, strict=False):
        rule = f"HeaderRegexp(`X-Session`, `{digits}`)"
        routers[name] = {"rule": rule, "service": name, "entryPoints": ["plain"]}
        routers[f"{name}-tls"] = {"rule": rule, "service": name, "entryPoints": ["secure"], "tls": {"options": "only"}}
    routers["rest"] = {"rule": "PathPrefix(`/`)", "service": names[0], "entryPoints": ["secure"],
                       "tls": {"options": "only"}, "priority": 1}
    services = {name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}], "passHostHeader": True,
                                        "responseForwarding": {"flushInterval": "-1ms"}}}
                for name, port in zip(names, plan.nodes, strict=True)}
    file = {"certFile": str(plan.certificate.cert), "keyFile": str(plan.certificate.key)}
    tls = {"stores": {"default": {"defaultCertificate": file}}, "options": {"only": {"minVersion": "VersionTLS13"}}}
    routes.write_text(yaml.safe_dump({"http": {"routers": routers, "services": services}, "tls": tls}))
    calm = {"respondingTimeouts": {"readTimeout": 0, "writeTimeout": 0, "idleTimeout": IDLE}}
    return yaml.safe_dump({
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "ERROR"},
        "entryPoints": {
            "plain": {"address": f"127.0.0.1:{plan.plain}", "transport": calm},
            "secure": {"address": f"127.0.0.1:{plan.secure}", "transport": calm, "http3": {}}},
        "serversTransport": {"maxIdleConnsPerHost": 256},
        "providers": {"file": {"filename": str(routes), "watch": False}},
    })
