"""What was written, checked -> the frozen values that the house works with. Nothing can fail here."""

from collections.abc import Mapping
from typing import Final

from sbc.config import (
    model,
    schema,
    schema_auth,
    schema_capacity,
    schema_edges,
    schema_network,
    schema_pools,
    schema_session,
)
from sbc.config.walk import ALWAYS_THERE
from sbc.model.abuse import LOOPBACK, AbuseRules
from sbc.model.capacity import Capacity, Marks
from sbc.model.identity import ApiKeys, Auth, Jwt
from sbc.model.ids import AgentName, PoolName, node_id
from sbc.model.manifest import Continuity, Durability, Manifest, Migration, Output, Placement, Replay, Standby, When
from sbc.model.marking import Mark
from sbc.model.node import Node, Probe
from sbc.model.policy import Access, Limits, PerSecond, Policy, Rewrite
from sbc.model.route import KeySource, Route, SessionKey

"""From where the PROXY protocol is believed if nothing is written."""

PRIORITIES = {Continuity.SYNCHRONOUS: 6, Continuity.INTERACTIVE: 4, Continuity.AUTONOMOUS: 1}
"""SO_PRIORITY by class (socket(7)): what queues that know no DSCP sort by."""


def build(document: schema.Document, source: str) -> model.Config:
    """The configuration of a document in which there is no fault."""
    policies = {ALWAYS_THERE: schema_session.Policy(), **document.policies}
    return model.Config(
        edge=_edge(document.edge),
        admin=_admin(document.admin),
        trunk=_trunk(document.trunk),
        listeners=tuple(
            model.Listener(
                door.name, door.listen, tuple(door.transports), _tls(door.tls), door.trusted_hops,
                door.proxy_protocol, tuple(door.proxy_from) or LOOPBACK, door.quic_retry,
            )
            for door in document.listeners
        ),
        pools={PoolName(name): _pool(PoolName(name), pool) for name, pool in document.pools.items()},
        agents={AgentName(name): _manifest(AgentName(name), agent, document.marking)
                for name, agent in document.agents.items()},
        policies={name: _policy(name, policy) for name, policy in policies.items()},
        routes=tuple(_route(route) for route in document.routes),
        abuse=_abuse(document.abuse),
        capacity=_capacity(document.admission, document.drain),
        marking={class_: getattr(document.marking, class_.value) for class_ in Continuity},
        kernel=_kernel(document.kernel),
        source=source,
    )


def _edge(edge: schema.Edge) -> model.Edge:
    keys = tuple(model.SealKey(key.id, key.file) for key in edge.seal_keys)
    redis = edge.redis or schema.Redis()
    return model.Edge(edge.name, edge.workers, edge.store, keys, edge.records, edge.h2_engine, edge.quic_engine,
                      _redis(redis), None if edge.address is None else model.SharedAddress(**edge.address.model_dump()),
                      _interconnect(edge.interconnect))


def _interconnect(found: schema_edges.Interconnect | None) -> model.Interconnect | None:
    if found is None:
        return None
    return model.Interconnect(found.listen, found.advertise, found.tls.cert, found.tls.key, found.tls.ca)


def _redis(redis: schema.Redis) -> model.Redis:
    return model.Redis(redis.user, redis.password_file, redis.sentinel_password_file, redis.ca, redis.cert, redis.key,
                       redis.lease, redis.patience)


def _admin(admin: schema.Admin) -> model.Admin:
    tokens = tuple(model.AdminToken(token.name, token.sha256, model.Role(token.role)) for token in admin.tokens)
    return model.Admin(admin.listen, tokens)


def _trunk(trunk: schema.Trunk | None) -> model.TrunkDoor | None:
    if trunk is None:
        return None
    return model.TrunkDoor(trunk.listen, trunk.secret_file, _tls(trunk.tls), trunk.advertise)


def _tls(tls: schema.Tls | None) -> model.Tls | None:
    if tls is None:
        return None
    certificates = tuple(model.Certificate(pair.cert, pair.key) for pair in tls.certificates)
    return model.Tls(certificates, tls.min_version, tls.client_ca, tls.client_certificate)


def _abuse(abuse: schema.Abuse) -> AbuseRules:
    return AbuseRules(abuse.refuse, abuse.block, abuse.period, tuple(abuse.exempt))


def _pool(name: PoolName, pool: schema_pools.Pool) -> model.Pool:
    nodes = tuple(node_of(name, node) for node in pool.nodes)
    probe = None if pool.probe is None else Probe(**pool.probe.model_dump())
    tls = None if pool.tls is None else model.NodeTls(**pool.tls.model_dump())
    return model.Pool(name, nodes, probe, tls, None if pool.discover is None else _discover(pool.discover))


def node_of(pool: PoolName, node: schema_pools.Node) -> Node:
    """A node of a pool as it is written down, in the configuration or in a file of its own."""
    return Node(node_id(pool, node.name), pool, node.url, node.zone or "", node.labels, node.capacity)


def _discover(discover: schema_pools.Discover) -> model.Discover:
    where: model.DnsNames | model.NodeFiles | model.EndpointSlices
    if discover.dns is not None:
        dns = discover.dns
        where = model.DnsNames(dns.name, dns.port, dns.srv, tuple(dns.servers))
    elif discover.files is not None:
        where = model.NodeFiles(tuple(discover.files.paths))
    else:
        assert discover.kubernetes is not None, "one of them is written (check_pools.py)"
        where = model.EndpointSlices(**discover.kubernetes.model_dump())
    return model.Discover(where, discover.every, discover.keep, discover.scheme, discover.capacity, discover.zone or "",
                          discover.labels)


def _manifest(name: AgentName, agent: schema_session.Agent, marking: schema_network.Marking) -> Manifest:
    placement, migration = agent.placement, agent.migration
    return Manifest(
        agent=name,
        pool=PoolName(agent.pool),
        continuity=Continuity(agent.continuity),
        latency_ceiling=agent.latency_ceiling,
        refuses_late=agent.past_ceiling == "refuse",
        placement=Placement(
            tuple(placement.regions), placement.labels, None if placement.spread == "none" else placement.spread
        ),
        migration=Migration(
            allowed=migration.allowed,
            when=When(migration.when),
            standby=Standby(migration.standby),
            output=Output(migration.output),
            replay=Replay(migration.replay),
            tolerated_loss=_loss(migration.tolerated_loss),
            trust=tuple(migration.trust),
            deadline=migration.deadline,
            hold=migration.hold,
        ),
        rising=agent.value == "rising",
        durability=Durability(agent.durability),
        mark=_mark(Continuity(agent.continuity), marking),
        declared=agent.model_dump(exclude_none=True),
    )


def _capacity(written: schema_capacity.Admission, drain: schema_capacity.Drain) -> Capacity:
    shares = written.reserved.model_dump()
    return Capacity(
        **written.model_dump(exclude={"reserved", "shed"}),
        reserved={continuity: shares[continuity.value] for continuity in Continuity},
        shed=Marks(written.shed.low, written.shed.high),
        drain_pace=drain.pace,
    )


def _mark(class_: Continuity, marking: schema_network.Marking) -> Mark | None:
    dscp: int | None = getattr(marking, class_.value)
    return None if dscp is None else Mark(class_.rank, dscp, PRIORITIES[class_])


def _kernel(kernel: schema_network.Kernel | None) -> model.Kernel | None:
    if kernel is None:
        return None
    return model.Kernel(kernel.socket, tuple(
        model.Shaping(shaping.device, shaping.rate, {
            class_: shaping.rate * getattr(shaping.shares, class_.value) // 100 for class_ in Continuity})
        for shaping in kernel.shaping
    ))  # fmt: skip


def _loss(written: str | int) -> int | None:
    match written:
        case int():
            return written
        case "any":
            return None
        case _:
            return 0


_RATES: Final = ("sessions_per_second", "messages_per_second_of", "bytes_per_second_of")


def _policy(name: str, policy: schema_session.Policy) -> Policy:
    written = policy.limits
    rates = {name: PerSecond(**rate) for name, rate in written.model_dump(include=set(_RATES)).items() if rate}
    limits = Limits(**{**written.model_dump(exclude=set(_RATES)), **rates})
    hidden = frozenset(header.lower().encode() for header in policy.headers.hide)
    added = _fields(policy.headers.set)
    hidden |= {name for name, _ in added}
    return Policy(name, limits, hidden, _auth(policy.auth), _access(policy.access), added, _rewrite(policy.headers))


def _fields(written: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in written.items())


def _rewrite(headers: schema_session.Headers) -> Rewrite | None:
    added, removed = _fields(headers.tell), {name.lower().encode() for name in headers.remove}
    return Rewrite(frozenset(removed | {name for name, _ in added}), added) if added or removed else None


def _auth(auth: schema_auth.Auth | None) -> Auth | None:
    if auth is None:
        return None
    jwt, keys = auth.jwt, auth.api_keys
    return Auth(
        None if jwt is None else Jwt(**jwt.model_dump(exclude={"algorithms"}), algorithms=tuple(jwt.algorithms)),
        None if keys is None else ApiKeys(
            keys.header.lower().encode(), {bytes.fromhex(key.sha256): key.name for key in keys.keys}
        ),
        auth.certificate,
    )  # fmt: skip


def _access(access: schema_auth.Access | None) -> Access | None:
    if access is None:
        return None
    methods, origins = (frozenset(word.encode() for word in words) for words in (access.methods, access.origins))
    return Access(tuple(access.allow), tuple(access.deny), methods, frozenset(word.lower() for word in origins))


def _route(route: schema_session.Route) -> Route:
    return Route(
        agent=AgentName(route.agent),
        protocol=route.protocol,
        policy=route.policy,
        host=route.match.host,
        path=route.match.path,
        session=_session_key(route.session),
    )


def _session_key(key: schema_session.SessionKey | None) -> SessionKey:
    match key:
        case schema_session.SessionKey(header=str(name)):
            # Hello has the names of headers in lower case.
            return SessionKey(KeySource.HEADER, name.lower())
        case schema_session.SessionKey(cookie=str(name)):
            return SessionKey(KeySource.COOKIE, name)
        case schema_session.SessionKey(query=str(name)):
            return SessionKey(KeySource.QUERY, name)
        case schema_session.SessionKey(path_segment=int(number)):
            return SessionKey(KeySource.PATH, str(number))
        case schema_session.SessionKey(jwt_claim=str(name)):
            return SessionKey(KeySource.CLAIM, name)
        case schema_session.SessionKey(json_field=str(name)):
            return SessionKey(KeySource.BODY, name)
        case _:
            return SessionKey()
