"""What is wrong between the sections: names that lead nowhere, things that are there twice, files that do not load.

Works on the plain tree and takes nothing in it for granted, so that these faults are told together with those inside
the sections, not one round later.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sbc.config.check_edges import interconnect
from sbc.config.check_files import named_files
from sbc.config.check_pools import discoveries
from sbc.config.check_rules import blocks, headers
from sbc.config.faults import Fault, Path, Wrong, dotted, fault, nearest
from sbc.config.model import Address
from sbc.config.schema import ADMIN_LISTEN, REDIS_LEASE
from sbc.config.schema_capacity import SHED_HIGH, SHED_LOW
from sbc.config.schema_network import ADDRESS_LEASE
from sbc.config.store_url import is_redis
from sbc.config.tree import Tree
from sbc.config.units import seconds
from sbc.config.values import address, route_host, route_path
from sbc.config.walk import ALWAYS_THERE, entries, get, is_number

Found = Iterator[Fault]

TAKEN = frozenset({"authorization", "connection", "content-length", "cookie", "host", "transfer-encoding", "upgrade"})
"""Headers that cannot carry API keys."""


def cross(tree: Tree) -> list[Fault]:
    """All faults between the sections."""
    checks: tuple[Callable[[Tree], Found], ...] = (
        _references, _duplicates, _clashes, _session_keys, _proxies, _quic, _node_tls, _redis, _shared_address,
        interconnect, discoveries, _proofs, blocks, headers, _shares, named_files,
    )
    return [fault for check in checks for fault in check(tree)]


def _references(tree: Tree) -> Found:
    pools, agents, policies = ([str(path[-1]) for path, _ in entries(tree, section)]
                               for section in ("pools", "agents", "policies"))
    for path, agent in entries(tree, "agents"):
        yield from _reference(tree, (*path, "pool"), get(agent, "pool"), "pool", pools)
    for path, route in entries(tree, "routes"):
        yield from _reference(tree, (*path, "agent"), get(route, "agent"), "agent", agents)
        yield from _reference(tree, (*path, "policy"), get(route, "policy"), "policy", [*policies, ALWAYS_THERE])


def _reference(tree: Tree, path: Path, name: Any, noun: str, known: list[str]) -> Found:
    if isinstance(name, str) and name not in known:
        meant = nearest(name, known)
        right = f'did you mean "{meant}"?' if meant else "one of " + ", ".join(dotted((word,)) for word in known[:20])
        yield fault(tree.position(path), path, f"no such {noun}", right if known else f"write that {noun}", name)


def _duplicates(tree: Tree) -> Found:
    yield from _each_once(tree, entries(tree, "listeners"), "name")
    yield from _each_once(tree, entries(tree, "edge", "seal_keys"), "id")
    for key in ("name", "sha256"):
        yield from _each_once(tree, entries(tree, "admin", "tokens"), key)
    for path, pool in entries(tree, "pools"):
        nodes = get(pool, "nodes")
        if isinstance(nodes, list):
            yield from _each_once(tree, [((*path, "nodes", i), node) for i, node in enumerate(nodes)], "name")
    for path, listener in entries(tree, "listeners"):
        yield from _transports(tree, path, get(listener, "transports"))
    yield from _same_match(tree)


def _each_once(tree: Tree, entries: list[tuple[Path, Any]], key: str) -> Found:
    seen: dict[str, Path] = {}
    for path, entry in entries:
        name = get(entry, key)
        if isinstance(name, str) and name in seen:
            yield fault(tree.position((*path, key)), (*path, key), f"the same {key} as {dotted(seen[name])}",
                        f"another {key}", name)
        elif isinstance(name, str):
            seen[name] = path


def _transports(tree: Tree, path: Path, transports: Any) -> Found:
    seen: set[str] = set()
    for number, transport in enumerate(transports if isinstance(transports, list) else ()):
        here = (*path, "transports", number)
        if isinstance(transport, str) and transport in seen:
            yield fault(tree.position(here), here, "the same transport twice", "each once", transport)
        elif isinstance(transport, str):
            seen.add(transport)


def _same_match(tree: Tree) -> Found:
    seen: dict[tuple[str, str], Path] = {}
    for path, route in entries(tree, "routes"):
        try:
            host, prefix = get(route, "match", "host"), get(route, "match", "path")
            key = (route_host(host) if host is not None else "", route_path(prefix) if prefix is not None else "/")
        except Wrong:
            continue
        if key in seen:
            yield fault(tree.position((*path, "match")), (*path, "match"), f"the same as of {dotted(seen[key])}",
                        "another path or host, for this route would never be taken")
        seen.setdefault(key, path)


def _clashes(tree: Tree) -> Found:
    places: list[Path] = [("admin", "listen"), ("trunk", "listen"), ("edge", "interconnect", "listen")]
    places += [(*path, "listen") for path, _ in entries(tree, "listeners")]
    seen: list[tuple[Path, Address]] = []
    for path in places:
        listen = _address(tree, path)
        if listen is None:
            continue
        for other, taken in seen:
            if listen.clashes(taken):
                yield fault(tree.position(path), path, f"the address of {dotted(other)}", "another port", str(listen))
                break
        seen.append((path, listen))


def _address(tree: Tree, path: Path) -> Address | None:
    value = tree.value
    for step in path:
        value = value[step] if isinstance(value, list) and isinstance(step, int) else get(value, str(step))
    if path == ("admin", "listen") and value is None:
        value = ADMIN_LISTEN
    try:
        return address(value)
    except Wrong:
        return None


def _session_keys(tree: Tree) -> Found:
    for path, route in entries(tree, "routes"):
        session = get(route, "session")
        if not isinstance(session, dict):
            continue
        here, count = (*path, "session"), sum(source is not None for source in session.values())
        if count != 1:
            yield fault(tree.position(here), here, f"{count} sources of the key",
                        "one of header, cookie, query, path_segment, jwt_claim, json_field")


def _proxies(tree: Tree) -> Found:
    for path, listener in entries(tree, "listeners"):
        wanted, listen = get(listener, "proxy_protocol"), _address(tree, (*path, "listen"))
        if wanted in ("accept", "require") and not get(listener, "proxy_from") and listen and not listen.loopback:
            here = (*path, "proxy_protocol")
            yield fault(tree.position(here), here, "from nobody: proxy_from is missing",
                        "write proxy_from: and the networks of the proxies, such as [10.0.0.0/8]", wanted)
        elif wanted in (None, "off") and get(listener, "proxy_from"):
            here = (*path, "proxy_from")
            yield fault(tree.position(here), here, "proxy_protocol is off",
                        "write proxy_protocol: accept or require, or leave this out")


def _quic(tree: Tree) -> Found:
    for path, listener in entries(tree, "listeners"):
        transports = get(listener, "transports")
        if not isinstance(transports, list) or "quic" not in transports:
            continue
        here = (*path, "transports", transports.index("quic"))
        if get(listener, "tls") is None:
            yield fault(tree.position(here), here, "QUIC is never without TLS", "write tls:, or leave quic out", "quic")
        if get(listener, "proxy_protocol") in ("accept", "require"):
            yield fault(tree.position(here), here, "the PROXY protocol is of TCP: nobody could speak it for QUIC",
                        "leave quic out, or give it a listener of its own", "quic")
        if get(listener, "tls", "client_ca") is not None:
            yield fault(tree.position(here), here, "the QUIC engines ask no client for a certificate",
                        "leave quic out, or give it a listener without tls.client_ca", "quic")


def _node_tls(tree: Tree) -> Found:
    for path, pool in entries(tree, "pools"):
        tls = get(pool, "tls")
        if not isinstance(tls, dict):
            continue
        for one, other in (("cert", "key"), ("key", "cert")):
            if tls.get(one) is not None and tls.get(other) is None:
                here = (*path, "tls", one)
                yield fault(tree.position(here), here, f"no {other} beside it", f"write {other}: too", tls[one])
        nodes = get(pool, "nodes")
        for number, node in enumerate(nodes if isinstance(nodes, list) else ()):
            url = get(node, "url")
            if isinstance(url, str) and url.lower().startswith(("http:", "ws:", "h2c:")):
                here = (*path, "nodes", number, "url")
                yield fault(tree.position(here), here, f"{dotted((*path, 'tls'))} is written, and this is without TLS",
                            "a URL of https:, wss: or h2:", url)


def _redis(tree: Tree) -> Found:
    store, redis = get(tree.value, "edge", "store"), get(tree.value, "edge", "redis")
    if not isinstance(redis, dict):
        return
    here = "edge", "redis"
    if not (isinstance(store, str) and is_redis(store)):
        yield fault(tree.position(here), here, "the store is no Redis store", "edge.store: redis://HOST:PORT")
    elif not store.startswith("rediss"):
        for name in ("ca", "cert", "key"):
            if redis.get(name) is not None:
                yield fault(tree.position((*here, name)), (*here, name), "the store is spoken to without TLS",
                            "edge.store: rediss://HOST:PORT", redis[name])
    for one, other in (("cert", "key"), ("key", "cert")):
        if redis.get(one) is not None and redis.get(other) is None:
            yield fault(tree.position((*here, one)), (*here, one), f"no {other} beside it", f"write {other}: too",
                        redis[one])


def _shared_address(tree: Tree) -> Found:
    store, written = get(tree.value, "edge", "store"), get(tree.value, "edge", "address")
    here: Path = ("edge", "address")
    if written is None:
        return
    if not (isinstance(store, str) and is_redis(store)):
        yield fault(tree.position(here), here, "no store says which edge has it", "edge.store: redis://HOST:PORT")
    if get(tree.value, "kernel") is None:
        yield fault(tree.position(here), here, "nobody is there to put it on the device", "write kernel: {}")
    lease, longest = get(written, "lease") or ADDRESS_LEASE, get(tree.value, "edge", "redis", "lease") or REDIS_LEASE
    try:
        if seconds(lease) > seconds(longest):
            yield fault(tree.position((*here, "lease")), (*here, "lease"), "longer than the edge owns its sessions",
                        f"{longest} (edge.redis.lease) at most", lease)
    except Wrong:
        return


def _proofs(tree: Tree) -> Found:
    for path, policy in entries(tree, "policies"):
        auth, here = get(policy, "auth"), (*path, "auth")
        if isinstance(auth, dict) and not any(auth.values()):
            yield fault(tree.position(here), here, "nothing is taken as proof", "one of jwt, api_keys, certificate")
        header = get(auth, "api_keys", "header")
        if isinstance(header, str) and (header.lower() in TAKEN or header.lower().startswith("session-")):
            here = (*here, "api_keys", "header")
            yield fault(tree.position(here), here, "a header with a meaning of its own", "X-Api-Key", header)


def _shares(tree: Tree) -> Found:
    admission = get(tree.value, "admission")
    reserved = [share for _, share in entries(tree, "admission", "reserved") if is_number(share)]
    if sum(reserved) > 1:
        here: Path = ("admission", "reserved")
        yield fault(tree.position(here), here, "more than there is", "shares of 1 in all at most",
                    round(sum(reserved), 3))
    low, high = (get(admission, "shed", mark) for mark in ("low", "high"))
    low, high = SHED_LOW if low is None else low, SHED_HIGH if high is None else high
    if is_number(low) and is_number(high) and low >= high:
        here = ("admission", "shed")
        yield fault(tree.position(here), here, "the low mark is not below the high one", "low: 0.7 and high: 0.95",
                    f"{low} and {high}")
