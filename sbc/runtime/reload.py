"""A new configuration, whole or not at all (docs/DESIGN.md P6): what can fail is done before anything changes."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from sbc.config import Config, Tls, diff
from sbc.config import Listener as ListenerConfig
from sbc.model.errors import ConfigError
from sbc.model.ids import PoolName
from sbc.model.interfaces import Reception
from sbc.nodes.dial import Trust, load_trust
from sbc.runtime.crossing import Papers, papers_of
from sbc.runtime.rules import Rules, rules
from sbc.runtime.seals import load_seal
from sbc.telemetry.metrics import QuicTally
from sbc.tls import Shelf, Vouching, stock
from sbc.transports.entrance import DoorTerms, protocols
from sbc.transports.listener import Listener, Security, quic_credentials
from sbc.transports.proxied import Proxies
from sbc.transports.quic.keeper import Others
from sbc.transports.sockets import Sockets, Supply
from sbc.wire.http3.credentials import Credentials


@dataclass(frozen=True, slots=True)
class TrunkTerms:
    """What nodes must bear that come to the trunk, and the TLS that is spoken to them."""

    secret: str | None
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a new configuration needs, built and waiting."""

    config: Config
    rules: Rules
    shelves: Mapping[str, Shelf]
    """New certificates for listeners that stay."""
    credentials: Mapping[str, Credentials]
    """The same for QUIC."""
    sockets: Mapping[str, Sockets]
    """Bound sockets of listeners that are new or moved."""
    trusts: Mapping[PoolName, Trust]
    """How TLS is spoken to nodes."""
    trunk: TrunkTerms | None
    papers: Papers | None
    """By what edges know each other."""
    datagrams: Mapping[str, socket]
    """Those of listeners that stay, and begin to serve QUIC."""


def security_of(listener: ListenerConfig) -> Security | None:
    """How TLS is spoken to the clients of a listener; None: it is not."""
    if listener.tls is None:
        return None
    offered = tuple(protocols(frozenset(listener.transports)))
    return Security(pairs_of(listener.tls), listener.tls.min_version, offered, vouching_of(listener.tls))


def pairs_of(tls: Tls) -> tuple[tuple[str, str], ...]:
    """The files of its certificates and keys."""
    return tuple((certificate.cert, certificate.key) for certificate in tls.certificates)


def vouching_of(tls: Tls) -> Vouching | None:
    """Whose certificates are asked for; None: none are."""
    return None if tls.client_ca is None else Vouching(tls.client_ca, tls.client_certificate == "required")


def trusts_of(config: Config) -> dict[PoolName, Trust]:
    """How TLS is spoken to the nodes of pools that say it. Raises OSError or ssl.SSLError."""
    return {name: load_trust(tls.ca, tls.cert, tls.key, tls.server_name)
            for name, pool in config.pools.items() if (tls := pool.tls) is not None}


def trunk_terms(config: Config) -> TrunkTerms | None:
    """None: there is no trunk. Raises OSError or ssl.SSLError."""
    trunk = config.trunk
    if trunk is None:
        return None
    secret = Path(trunk.secret_file).read_text().strip() if trunk.secret_file else None
    tls = trunk.tls
    if tls is None:
        return TrunkTerms(secret, None)
    return TrunkTerms(secret, stock(pairs_of(tls), tls.min_version, vouching=vouching_of(tls)).first)


def terms_of(listener: ListenerConfig, config: Config) -> DoorTerms:
    """What a listener speaks, and on which terms."""
    wanted = listener.proxy_protocol
    proxies = Proxies(wanted == "require", listener.proxy_from) if wanted != "off" else None
    return DoorTerms(frozenset(listener.transports), config.edge.h2_engine, proxies, config.edge.quic_engine,
                     listener.quic_retry == "always",
                     config.edge.address is not None and config.edge.address.host == listener.listen.host)


async def prepare(old: Config, new: Config, in_force: Rules, once: bytes, supply: Supply) -> Prepared:
    """Build what a configuration needs, and fetch the keys of issuers that are new. in_force: the rules so far.
    once: the key to seal with where none is written. supply: where sockets come from.

    Raises ConfigError; nothing has changed then."""
    path = new.source
    changes = diff(old, new)
    if changes.restart_needed:
        raise ConfigError([f"{path}: {key}: cannot change while the edge runs; restart it, or put the old value back"
                           for key in changes.restart_needed])  # fmt: skip
    sockets: dict[str, Sockets] = {}
    datagrams: dict[str, socket] = {}
    try:
        shelves: dict[str, Shelf] = {}
        credentials: dict[str, Credentials] = {}
        before = {listener.name: listener for listener in old.listeners}
        for listener in new.listeners:
            former, terms = before.get(listener.name), terms_of(listener, new)
            if former is not None and _same_door(former, listener):
                security = security_of(listener)
                if security is not None:
                    shelves[listener.name] = security.stock()
                if security is not None and "quic" in listener.transports:
                    credentials[listener.name] = quic_credentials(security, terms)
                    if "quic" not in former.transports:
                        sock = supply.datagrams(
                            listener.name, listener.listen.host, listener.listen.port, terms)
                        if sock is not None:
                            datagrams[listener.name] = sock
            elif former is not None and former.listen == listener.listen:
                raise ConfigError([f"{path}: listeners.{listener.name}: TLS, or TCP, cannot be switched on or off on "
                                   "an address in use; take another address or name"])  # fmt: skip
            else:
                sockets[listener.name] = supply.sockets(
                    listener.name, listener.listen.host, listener.listen.port, terms)
        seal = load_seal(new.edge.seal_keys, once)
        prepared = Prepared(new, rules(new, seal, in_force), shelves, credentials, sockets, trusts_of(new),
                            trunk_terms(new), papers_of(new), datagrams)  # fmt: skip
        await prepared.rules.authorities.complete()
        return prepared
    except (OSError, ssl.SSLError) as error:
        _drop(sockets, datagrams)
        raise ConfigError([f"{path}: {error}"]) from None
    except ConfigError:
        _drop(sockets, datagrams)
        raise


def drop(prepared: Prepared) -> None:
    """It is not to hold after all."""
    _drop(prepared.sockets, prepared.datagrams)


def _same_door(one: ListenerConfig, other: ListenerConfig) -> bool:
    return (one.listen == other.listen and (one.tls is None) == (other.tls is None)
            and _has_tcp(one) == _has_tcp(other))  # fmt: skip


def _has_tcp(listener: ListenerConfig) -> bool:
    return bool(protocols(frozenset(listener.transports)))


def _drop(sockets: Mapping[str, Sockets], datagrams: Mapping[str, socket]) -> None:
    for bound in sockets.values():
        bound.close()
    for sock in datagrams.values():
        sock.close()


async def open_doors(
    prepared: Prepared, listeners: dict[str, Listener], reception: Reception, tally: QuicTally, others: Others
) -> dict[str, Any]:
    """Make the listeners those of the new configuration; sessions that came in through a closed one stay."""
    wanted = {listener.name: listener for listener in prepared.config.listeners}
    closed = [name for name in listeners if name not in wanted or name in prepared.sockets]
    for name in closed:
        listener = listeners.pop(name)
        listener.close()
        listener.retire()
    for name, shelf in prepared.shelves.items():
        front = listeners[name].front
        assert front is not None
        front.shelf = shelf
    for name, listener in listeners.items():
        if listener.quic is not None and name not in prepared.credentials:
            listener.close_quic()
        listener.set_terms(terms_of(wanted[name], prepared.config))
        if name in prepared.datagrams:
            listener.open_quic(prepared.datagrams[name], prepared.credentials[name])
        elif listener.quic is not None:
            listener.quic.credentials = prepared.credentials[name]
    for name, bound in prepared.sockets.items():
        listener = Listener(name, reception, security_of(wanted[name]), terms_of(wanted[name], prepared.config), tally,
                            others)
        await listener.start(bound)
        listeners[name] = listener
    return {"opened": sorted(prepared.sockets), "closed": sorted(set(closed) - set(prepared.sockets))}
