"""Nodes from DNS: the addresses of a name (A, AAAA), or its services (SRV, RFC 2782).

What a server says holds until it has expired: it is not asked again before. A name has nodes if either version of IP
has; that one of the two has none is no fault.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, Answer, NoAnswer

from sbc.config.model import DnsNames
from sbc.core.discovery import Found
from sbc.core.slices import name_of, url_of
from sbc.model.ids import node_id
from sbc.model.node import Node
from sbc.nodes.discovery.report import Report

WITHIN: Final = 3.0
"""Seconds for one question, with all repetitions."""
LONGEST_TTL: Final = 3600.0


async def follow(names: DnsNames, scheme: str, every: float, defaults: Node, report: Report) -> None:
    """Report the nodes, until cancelled."""
    while True:
        wait = every
        try:
            found, ttl = await _look(names, scheme, defaults)
        except NXDOMAIN:
            report.found(())
        except (DNSException, OSError) as fault:
            report.failed(f"{names.name}: {str(fault) or type(fault).__name__}")
        else:
            report.found(found)
            wait = max(every, min(ttl, LONGEST_TTL))
        await asyncio.sleep(wait)


async def _look(names: DnsNames, scheme: str, defaults: Node) -> tuple[Sequence[Found], float]:
    """What there is, and for how many seconds that holds. Raises DNSException or OSError."""
    resolver = _resolver(names)
    if names.srv:
        answer = await resolver.resolve(names.name, "SRV", search=False, raise_on_no_answer=False)
        records = sorted(answer, key=lambda record: int(record.priority))
        # RFC 2782: a client uses those of the lowest priority. A target of `.` says that there is no such service.
        used = [record for record in records if record.priority == records[0].priority and str(record.target) != "."]
        places = [(str(record.target).rstrip("."), int(record.port)) for record in used]
        ttl = _ttl(answer)
    else:
        assert names.port is not None, "check_pools.py"
        answers = await asyncio.gather(*(_addresses(resolver, names.name, kind) for kind in ("A", "AAAA")))
        places = [(str(record.address), names.port) for answer in answers for record in answer or ()]
        ttl = min((_ttl(answer) for answer in answers if answer), default=0.0)
    return [_found(host, port, scheme, defaults) for host, port in places], ttl


async def _addresses(resolver: Resolver, name: str, kind: str) -> Answer | None:
    try:
        return await resolver.resolve(name, kind, search=False)
    except NoAnswer:
        return None


def _resolver(names: DnsNames) -> Resolver:
    resolver = Resolver(configure=not names.servers)  # made anew each time: /etc/resolv.conf may have changed
    if names.servers:
        resolver.nameservers = [str(server.host) for server in names.servers]
        resolver.nameserver_ports = {str(server.host): server.port for server in names.servers}
    resolver.lifetime = WITHIN
    resolver.timeout = WITHIN / 2
    return resolver


def _ttl(answer: Answer) -> float:
    return float(answer.rrset.ttl) if answer.rrset is not None else 0.0


def _found(host: str, port: int, scheme: str, defaults: Node) -> Found:
    node = node_id(defaults.pool, name_of(f"{host}-{port}"))
    return Found(Node(node, defaults.pool, url_of(scheme, host, port), defaults.zone, defaults.labels,
                      defaults.capacity))
