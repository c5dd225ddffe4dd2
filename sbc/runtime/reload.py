"""A new configuration, whole or not at all (docs/DESIGN.md P6): what can fail is done before anything changes."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from socket import socket
from typing import Any

from sbc import config as configuration
from sbc.config import Config
from sbc.config import Listener as ListenerConfig
from sbc.model.errors import ConfigError
from sbc.model.interfaces import Reception
from sbc.runtime.rules import Rules, rules
from sbc.runtime.seals import load_seal
from sbc.tls import Shelf, stock
from sbc.transports.entrance import DoorTerms, protocols
from sbc.transports.listener import Listener, Security, bind
from sbc.transports.proxied import Proxies


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a new configuration needs, built and waiting."""

    config: Config
    rules: Rules
    shelves: Mapping[str, Shelf]
    """New certificates for listeners that stay."""
    sockets: Mapping[str, socket]
    """Bound sockets of listeners that are new or moved."""


def security_of(listener: ListenerConfig) -> Security | None:
    if listener.tls is None:
        return None
    pairs = tuple((certificate.cert, certificate.key) for certificate in listener.tls.certificates)
    return Security(pairs, listener.tls.min_version, tuple(protocols(frozenset(listener.transports))))


def terms_of(listener: ListenerConfig, config: Config) -> DoorTerms:
    wanted = listener.proxy_protocol
    proxies = Proxies(wanted == "require", listener.proxy_from) if wanted != "off" else None
    return DoorTerms(frozenset(listener.transports), config.edge.h2_engine, proxies)


def prepare(old: Config, path: str) -> Prepared:
    """Read and build a configuration. Raises ConfigError; nothing has changed then."""
    new = configuration.load(path)
    changes = configuration.diff(old, new)
    if changes.restart_needed:
        raise ConfigError([f"{path}: {key}: cannot change while the edge runs; restart it, or put the old value back"
                           for key in changes.restart_needed])  # fmt: skip
    sockets: dict[str, socket] = {}
    try:
        shelves = {}
        before = {listener.name: listener for listener in old.listeners}
        for listener in new.listeners:
            former = before.get(listener.name)
            if former is not None and _same_door(former, listener):
                security = security_of(listener)
                if security is not None:
                    shelves[listener.name] = stock(
                        security.certificates, security.min_version, security.protocols)
            elif former is not None and former.listen == listener.listen:
                raise ConfigError([f"{path}: listeners.{listener.name}: TLS cannot be switched on or off on an address "
                                   "in use; take another address or name"])  # fmt: skip
            else:
                sockets[listener.name] = bind(listener.listen.host, listener.listen.port)
        return Prepared(new, rules(new, load_seal(new.edge.seal_keys)), shelves, sockets)
    except (OSError, ssl.SSLError) as error:
        _drop(sockets)
        raise ConfigError([f"{path}: {error}"]) from None
    except ConfigError:
        _drop(sockets)
        raise


def _same_door(one: ListenerConfig, other: ListenerConfig) -> bool:
    return one.listen == other.listen and (one.tls is None) == (other.tls is None)


def _drop(sockets: Mapping[str, socket]) -> None:
    for sock in sockets.values():
        sock.close()


async def open_doors(
    prepared: Prepared, listeners: dict[str, Listener], reception: Reception
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
        listener.terms = terms_of(wanted[name], prepared.config)
    for name, sock in prepared.sockets.items():
        listener = Listener(name, reception, security_of(wanted[name]), terms_of(wanted[name], prepared.config))
        await listener.start(wanted[name].listen.host, wanted[name].listen.port, sock)
        listeners[name] = listener
    return {"opened": sorted(prepared.sockets), "closed": sorted(set(closed) - set(prepared.sockets))}
