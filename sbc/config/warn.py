"""What is allowed but probably not meant: `sbc check` tells it, and the edge logs it when it starts."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from sbc.config.model import Config
from sbc.config.store_url import is_redis, redis_at
from sbc.config.unsafe import unsafe
from sbc.model.manifest import Durability, Manifest
from sbc.model.node import Node
from sbc.model.route import KeySource, Route

REQUESTS = frozenset({"http1", "http2", "quic"})
"""The transports that carry requests."""
OF_REQUESTS = frozenset({"sse", "mcp", "a2a", "openai"})
"""The protocols that are made of requests alone."""
OWN_KEYS = frozenset({"mcp"})
"""The protocols in which the client always says itself which session is meant."""


def warnings(config: Config) -> list[str]:
    """A line `dotted.path: what, and what to do` for each thing that looks wrong and is no fault."""
    return [*_doors(config), *_issuers(config), *_tenants(config), *unsafe(config), *_store(config), *_address(config),
            *_pools(config), *_agents(config), *_routes(config)]  # fmt: skip


def _doors(config: Config) -> Iterator[str]:
    open_policies = ", ".join(sorted({route.policy for route in config.routes if not _closed(config, route)}))
    for number, listener in enumerate(config.listeners):
        if listener.trusted_hops and not listener.listen.loopback:
            yield (f"listeners.{number}.trusted_hops: {listener.listen} is not loopback: whoever reaches it past the "
                   "proxies is believed who he says he is; let nobody but them reach it")
        if open_policies and not listener.listen.loopback:
            yield (f"listeners.{number}: {listener.listen} is not loopback and no auth is asked for (policies: "
                   f"{open_policies}): whoever reaches it may open sessions; listen on loopback, "
                   "or say in access.allow from where one may")
        if listener.quic_retry == "always" and "quic" not in listener.transports:
            yield f"listeners.{number}.quic_retry: there is no quic here: add it to transports, or leave this out"
    if not config.admin.listen.loopback:
        if not config.admin.tokens:
            yield (f"admin.listen: {config.admin.listen} is not loopback and no token is asked for: whoever reaches it "
                   "may read everything and give orders; set tokens, or listen on loopback")
        else:
            yield (f"admin.listen: {config.admin.listen} is not loopback and speaks no TLS: tokens can be read on the "
                   "way; let only a private network reach it, or a proxy that speaks TLS")
    trunk = config.trunk
    if trunk is not None and not trunk.listen.loopback:
        if trunk.secret_file is None and not (trunk.tls is not None and trunk.tls.proves):
            yield (f"trunk: {trunk.listen} is not loopback and has no secret: any node may register; "
                   "set secret_file, or tls.client_ca")
        if trunk.tls is None:
            yield f"trunk: {trunk.listen} is not loopback and has no TLS: it can be read on the way; set tls"
    if trunk is not None and trunk.advertise is None and is_redis(config.edge.store):
        yield ("trunk.advertise: it is not set, so that nodes do not hear of this edge from the others of its store; "
               "say where they reach this trunk, or have each node dial every edge")


def _closed(config: Config, route: Route) -> bool:
    """Whether not everybody may ask there."""
    policy = config.policies[route.policy]
    return policy.auth is not None or (policy.access is not None and bool(policy.access.allow))


def _issuers(config: Config) -> Iterator[str]:
    for name, policy in config.policies.items():
        jwt = policy.auth.jwt if policy.auth is not None else None
        if jwt is not None and jwt.jwks.startswith("http:") and not _is_loopback(urlsplit(jwt.jwks).hostname or ""):
            yield (f"policies.{name}.auth.jwt.jwks: {jwt.jwks} has no TLS: whoever is on the way can put his own keys "
                   "there and be everybody; take https")
        if jwt is not None and jwt.published and jwt.jwks_keep < jwt.jwks_refresh:
            yield (f"policies.{name}.auth.jwt.jwks_keep: keys are let go of before they are fetched again: "
                   f"write at least {jwt.jwks_refresh:g}s")


def _tenants(config: Config) -> Iterator[str]:
    for name, policy in config.policies.items():
        limits, jwt = policy.limits, policy.auth.jwt if policy.auth is not None else None
        rates = (limits.sessions_per_second, limits.messages_per_second_of, limits.bytes_per_second_of)
        limited = limits.sessions_per_tenant is not None or any(
            rate is not None and rate.tenant is not None for rate in rates)
        if limited and (jwt is None or jwt.tenant is None):
            yield (f"policies.{name}.limits: nobody says whose client one is, so that what holds for tenants holds for "
                   "nobody: write auth.jwt.tenant")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _store(config: Config) -> Iterator[str]:
    if config.edge.store != "memory:" and not config.edge.seal_keys:
        yield ("edge.seal_keys: the store outlives the process but the clients' tokens do not: "
               "name a key file, which is made if missing")
    if is_redis(config.edge.store):
        at = redis_at(config.edge.store)
        away = [host for host, _ in at.hosts if not (host == "localhost" or host.startswith("127.") or host == "::1")]
        if away and not at.tls:
            yield (f"edge.store: {away[0]} is not this machine, and what is said to it can be read and changed on the "
                   "way: write rediss, or keep the way to it private")
        if away and config.edge.redis.password_file is None and config.edge.redis.cert is None:
            yield (f"edge.redis: whoever reaches {away[0]} may read and take over all sessions: write password_file, "
                   "or cert and key")


def _address(config: Config) -> Iterator[str]:
    shared = config.edge.address
    if shared is None:
        return
    reached = [listener.listen.host for listener in config.listeners]
    if shared.host not in reached and ("::" if ":" in shared.host else "0.0.0.0") not in reached:
        yield (f"edge.address: no listener is reached at {shared.host}: listen there, or on all addresses")


def _pools(config: Config) -> Iterator[str]:
    for name, pool in config.pools.items():
        if not pool.nodes and pool.discover is None and config.trunk is None:
            yield f"pools.{name}: it has no nodes, and none can register without a trunk: write nodes, or a trunk"
        if pool.nodes and pool.probe is None and config.trunk is None:
            yield f"pools.{name}: without probe and trunk the silence of a node is not noticed: leave probe out"


def _agents(config: Config) -> Iterator[str]:
    routed = {route.agent for route in config.routes}
    for name, agent in config.agents.items():
        pool = config.pools[agent.pool]
        if name not in routed:
            yield f"agents.{name}: no route leads to it"
        if agent.refuses_late and agent.latency_ceiling is None:
            yield f"agents.{name}.past_ceiling: there is no ceiling: write latency_ceiling, or leave this out"
        if agent.durability is Durability.SYNC and config.edge.store == "memory:":
            yield (f"agents.{name}.durability: nothing in a store of memory outlives the edge, whatever is waited for: "
                   "write a durable edge.store, or leave this out")
        if pool.nodes and not any(_fits(node, agent) for node in pool.nodes):
            yield (f"agents.{name}.placement: no node of pool {pool.name} that is written here satisfies it: "
                   "mend its regions and labels, or the nodes' zone and labels")


def _routes(config: Config) -> Iterator[str]:
    served = {transport for listener in config.listeners for transport in listener.transports}
    requests, websocket = not served.isdisjoint(REQUESTS), "websocket" in served
    for number, route in enumerate(config.routes):
        here, source = f"routes.{number}", route.session.source
        if route.protocol == "realtime" and not websocket:
            yield f"{here}.protocol: realtime is spoken over WebSockets, and no listener serves websocket"
        if route.protocol in OF_REQUESTS and not requests:
            yield f"{here}.protocol: {route.protocol} is made of requests, and no listener serves http1, http2 or quic"
        if source is KeySource.BODY and (route.protocol == "realtime" or not requests):
            yield (f"{here}.session.json_field: a WebSocket has no body, and nothing else comes here: "
                   "take the key from a header, cookie, query or path segment")
        if route.protocol in OWN_KEYS and source is not KeySource.NONE:
            yield (f"{here}.session: {route.protocol} has keys of its own, and a request that carries this one goes "
                   "where it leads: leave session out unless that is meant")


def _fits(node: Node, agent: Manifest) -> bool:
    wanted = agent.placement
    placed = not wanted.regions or any(node.in_region(region) for region in wanted.regions)
    return placed and all(node.labels.get(key) == value for key, value in wanted.labels.items())
