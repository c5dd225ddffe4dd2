"""What an attacker would like to find in a configuration: told as warnings (warn.py), with what would be better.

Each is judged for a listener that others than this machine can reach; on loopback alone all of it is allowed.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sbc.config.model import Config, Tls
from sbc.model.policy import Limits, Policy
from sbc.model.route import KeySource

PLAIN = frozenset({"http", "ws", "h2c"})
"""Schemes of nodes that are spoken to without TLS."""
OWN_NAMES = ("internal", "local", "localhost", "lan", "svc", "home.arpa", "test", "example")
"""Endings of names that lead nowhere outside."""
WIDEST: dict[str, tuple[float, str, str]] = {
    "head_timeout": (60.0, "60s", "whoever says nothing keeps a connection for so long"),
    "head": (256 * 1024, "256KiB", "a head may cost so many bytes of memory before anybody knows who asks"),
    "headers": (500, "100", "each request may have so many fields, and each is looked at"),
    "sessions_per_principal": (10_000, "10000", "one client may have so many sessions"),
    "message": (16 * 1024**2, "16MiB", "each session may have a message of so many bytes in memory"),
    "journal": (16 * 1024**2, "16MiB", "each session may keep so many bytes of each direction"),
    "ping": (300.0, "5m", "a client that is gone is noticed only after twice as long"),
    "idle": (7 * 86400.0, "7d", "a session in which nothing happens takes a seat for so long"),
}
"""Limits above these protect from nothing: how wide, what to write, and what it costs."""
LONGEST_LEEWAY = 300.0
SOURCE_RATE = 10
"""Sessions a second of one source that an open route should not go beyond."""


def unsafe(config: Config) -> Iterator[str]:
    """A line `dotted.path: what, and what to do` for each thing that lies open."""
    yield from _keys(config)
    if all(listener.listen.loopback for listener in config.listeners):
        return
    yield from _listeners(config)
    yield from _abuse(config)
    routed = {route.policy for route in config.routes}
    for name in sorted(routed):
        policy = config.policies[name]
        yield from _limits(f"policies.{name}.limits", policy.limits)
        yield from _policy(f"policies.{name}", policy)
    yield from _nodes(config)
    yield from _pages(config)


def _listeners(config: Config) -> Iterator[str]:
    bearers = any(auth.jwt is not None or auth.api_keys is not None for route in config.routes
                  if (auth := config.policies[route.policy].auth) is not None)  # fmt: skip
    for number, listener in enumerate(config.listeners):
        here, fronted = f"listeners.{number}", listener.trusted_hops or listener.proxy_protocol != "off"
        if bearers and listener.tls is None and not listener.listen.loopback and not fronted:
            yield (f"{here}: {listener.listen} is not loopback and has no TLS, and clients show credentials there that "
                   "can be read on the way; set tls")
        if listener.proxy_protocol != "off" and _everybody(listener.proxy_from):
            yield (f"{here}.proxy_from: everybody is believed who says that he speaks for another; write the networks "
                   "of the proxies")


def _abuse(config: Config) -> Iterator[str]:
    if config.abuse.refuse is None:
        yield ("abuse.refuse: a listener is not loopback, and whoever floods it may come back at once, on and on; "
               "write 100, and what to spare into abuse.exempt")
    elif _everybody(config.abuse.exempt):
        yield "abuse.exempt: it spares everybody; write the networks that are your own"


def _limits(here: str, limits: Limits) -> Iterator[str]:
    for name, (most, better, cost) in WIDEST.items():
        value = getattr(limits, name)
        if value > most:
            yield f"{here}.{name}: {value:.15g}: a listener is not loopback, and {cost}; write {better} or less"


def _policy(here: str, policy: Policy) -> Iterator[str]:
    access, auth, rates = policy.access, policy.auth, policy.limits.sessions_per_second
    if access is not None and _everybody(access.allow):
        yield f"{here}.access.allow: it lets everybody in, as if it were not there; write networks, or leave it out"
    if auth is not None and auth.jwt is not None and auth.jwt.leeway > LONGEST_LEEWAY:
        yield (f"{here}.auth.jwt.leeway: tokens are good for {auth.jwt.leeway:g} s longer than their issuer says; "
               f"write {LONGEST_LEEWAY:g}s or less")
    if auth is None and (access is None or not access.allow) and (rates is None or rates.source is None):
        yield (f"{here}.limits.sessions_per_second: anybody may begin as many sessions a second as he likes; write "
               f"{{source: {SOURCE_RATE}}}")


def _nodes(config: Config) -> Iterator[str]:
    """Bearer tokens are passed on to nodes (docs/DESIGN.md section 5.2)."""
    shown = {config.agents[route.agent].pool for route in config.routes
             if (auth := config.policies[route.policy].auth) is not None and auth.jwt is not None}  # fmt: skip
    for name in sorted(shown):
        for number, node in enumerate(config.pools[name].nodes):
            url = urlsplit(node.url)
            if url.scheme in PLAIN and not _own(url.hostname or ""):
                yield (f"pools.{name}.nodes.{number}.url: {url.scheme} to {url.hostname}: the bearer tokens of clients "
                       "are passed on, and can be read on the way; write https")


def _pages(config: Config) -> Iterator[str]:
    for number, route in enumerate(config.routes):
        access = config.policies[route.policy].access
        if route.session.source is KeySource.COOKIE and (access is None or not access.origins):
            yield (f"routes.{number}.session.cookie: browsers send cookies along for pages of any site, which may so "
                   f"come to others' sessions; write policies.{route.policy}.access.origins")


def _keys(config: Config) -> Iterator[str]:
    """Files that are secrets."""
    doors = [(f"listeners.{number}.tls", door.tls) for number, door in enumerate(config.listeners)]
    if config.trunk is not None:
        doors.append(("trunk.tls", config.trunk.tls))
        if config.trunk.secret_file is not None:
            yield from _read_by_others("trunk.secret_file", config.trunk.secret_file)
    for here, tls in doors:
        yield from _private(here, tls)
    for name, pool in config.pools.items():
        if pool.tls is not None and pool.tls.key is not None:
            yield from _read_by_others(f"pools.{name}.tls.key", pool.tls.key)
    redis = config.edge.redis
    for kept, file in (("password_file", redis.password_file), ("key", redis.key),
                       ("sentinel_password_file", redis.sentinel_password_file)):
        if file is not None:
            yield from _read_by_others(f"edge.redis.{kept}", file)
    if config.edge.interconnect is not None:
        yield from _read_by_others("edge.interconnect.tls.key", config.edge.interconnect.key)
    for number, key in enumerate(config.edge.seal_keys):
        yield from _read_by_others(f"edge.seal_keys.{number}.file", key.file)


def _private(here: str, tls: Tls | None) -> Iterator[str]:
    for number, pair in enumerate(tls.certificates if tls is not None else ()):
        yield from _read_by_others(f"{here}.certificates.{number}.key", pair.key)


def _read_by_others(here: str, file: str) -> Iterator[str]:
    try:
        mode = Path(file).stat().st_mode
    except OSError:  # it is made later, or told of as a fault
        return
    if mode & 0o007:
        yield f"{here}: every user of this machine may read {file}; chmod 600"


def _everybody(networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(network.prefixlen == 0 for network in networks)


def _own(host: str) -> bool:
    """Whether a host is no further away than a network of one's own, as far as its name tells."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(tuple(f".{ending}" for ending in OWN_NAMES))
    return address.is_private or address.is_loopback or address.is_link_local
