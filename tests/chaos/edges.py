"""What edges are told: a file for each, in which everything is in force that a run can put to the test."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.chaos.cast import Cast
from tests.chaos.clients import names
from tests.chaos.net import SHARED, Net

SECRET = "of-the-trunk"
HOLD = "120s"
AUTHORITY = "ca.pem"
"""Of the edges' certificates, as clients believe them."""
RATE = 40
"""Messages a second in a session: who says again what an edge has lost is over it."""
PATHS = {"/continue": "continue", "/regenerate": "regenerate", "/plain": "plain", "/ask": "ask"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What all processes of a run have in common."""

    place: Path
    cast: Cast
    seed: int
    """Of the clients."""
    lease: str
    """Of the edges."""
    stay: bool
    """Clients leave no edge by themselves."""


def certify(net: Net, setting: Setting) -> None:
    """What the edges show to clients and to each other, and the keys that they have in common."""
    place, at = setting.place, net.hosts
    (place / "seal.key").write_text("5e" * 32)
    (place / "trunk.secret").write_text(SECRET)
    clients, edges = trustme.CA(), trustme.CA()
    clients.cert_pem.write_to_path(str(place / AUTHORITY))
    edges.cert_pem.write_to_path(str(place / "edges.pem"))
    for host in setting.cast.edges:
        (place / host / "disk").mkdir(parents=True)
        for authority, name, hosts in ((clients, "door.pem", (at[host], SHARED)), (edges, "edge.pem", (at[host],))):
            authority.issue_cert(*hosts).private_key_and_cert_chain_pem.write_to_path(str(place / host / name))


def edge(host: str, net: Net, setting: Setting) -> str:
    """The file of an edge."""
    tree = _tree(host, net, setting)
    file = setting.place / host / "sbc.yaml"
    file.write_text(yaml.safe_dump(tree))
    return str(file)


def _tree(host: str, net: Net, setting: Setting) -> dict[str, Any]:
    at, place, cast = net.hosts, setting.place, setting.cast
    listed = [{"name": one, "url": f"http://{at[one]}:9000"} for one in cast.plain]
    quick = {"path": "/healthz", "every": "300ms", "timeout": "300ms", "fall": 2, "rise": 1}
    door = SHARED if cast.floats else "0.0.0.0"
    certificate = {"cert": str(place / host / "door.pem"), "key": str(place / host / "door.pem")}
    return {
        "edge": _edge(host, net, setting),
        **({"kernel": {"socket": str(place / host / "kernel.sock")}} if cast.floats else {}),
        "admin": {"listen": "0.0.0.0:9070"},
        "trunk": {"listen": "0.0.0.0:9071", "secret_file": str(place / "trunk.secret"),
                  "advertise": f"ws://{at[host]}:9071/trunk"},
        "listeners": [
            {"name": "plain", "listen": f"{door}:8080", "transports": ["http1", "websocket"]},
            {"name": "secure", "listen": f"{door}:8443", "transports": ["http1", "http2", "websocket", "quic"],
             "tls": {"certificates": [certificate]}}],
        "pools": {"tutors": {"nodes": []}, "plains": {"nodes": listed, "probe": quick}},
        "agents": _agents(),
        "policies": {"default": _policy(cast)},
        "abuse": {"refuse": None},
        "routes": [{"match": {"path": path}, "agent": agent, "policy": "default",
                    **({"protocol": "sse", "session": {"header": "X-Chat"}} if path == "/ask"
                       else {"protocol": "opaque"})} for path, agent in PATHS.items()],
    }


def _edge(host: str, net: Net, setting: Setting) -> dict[str, Any]:
    at, place, cast = net.hosts, setting.place, setting.cast
    if cast.sentinels:
        store = "redis+sentinel://" + ",".join(f"{at[one]}:26379" for one in cast.sentinels) + "/main"
    elif cast.clustered:
        store = "redis+cluster://" + ",".join(f"{at[one]}:6379" for one in cast.redis)
    else:
        store = f"redis://{at[cast.redis[0]]}:6379"
    told: dict[str, Any] = {
        "name": host, "store": store, "redis": {"lease": setting.lease, "patience": "500ms"}, "workers": cast.workers,
        "seal_keys": [{"id": "k1", "file": str(place / "seal.key")}],
        "records": str(place / host / "disk" / "records.jsonl")}
    if cast.joined:
        certificate = str(place / host / "edge.pem")
        told["interconnect"] = {"listen": "0.0.0.0:9072", "advertise": f"{at[host]}:9072", "tls": {
            "cert": certificate, "key": certificate, "ca": str(place / "edges.pem")}}
    if cast.floats:
        told["address"] = {"share": f"{SHARED}/24", "device": "net", "lease": "5s"}
    return told


def _agents() -> dict[str, Any]:
    migration = {"hold": HOLD, "deadline": "2s"}
    return {
        "continue": {"pool": "tutors", "migration": migration},
        "regenerate": {"pool": "tutors", "migration": migration | {"output": "regenerate", "standby": "warm"},
                       "durability": "sync"},
        "plain": {"pool": "plains", "migration": migration},
        "ask": {"pool": "tutors", "migration": migration, "durability": "sync"},
    }


def _policy(cast: Cast) -> dict[str, Any]:
    """Who may come in, and how much they may do: each client is a principal of its own."""
    keys = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()}
            for host in cast.clients for name in names(host)]
    return {"auth": {"api_keys": {"keys": keys}},
            "limits": {"sessions_per_principal": 1000, "messages_per_second": RATE, "ping": "2s"}}
