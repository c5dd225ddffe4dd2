"""EndpointSlices of a Kubernetes service, as its API tells of them, and the nodes that they mean.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/: a service may have several;
during changes an endpoint may stand in two of them. Conditions that are not said are true (`ready`, `serving`) or false
(`terminating`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sbc.core.discovery import Found
from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")
LONGEST_NAME: Final = 64


def name_of(text: str) -> str:
    """A name for a node that others call this."""
    name = _NO_NAME.sub("-", text)[:LONGEST_NAME]
    return name if name[:1].isalnum() else f"n{name}"[:LONGEST_NAME]


def url_of(scheme: str, host: str, port: int) -> str:
    """Where a node takes sessions. host: a name, or an address of either version."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Slices:
    """Those of one service."""

    def __init__(self, pool: PoolName, port: str | None, scheme: str, defaults: Node) -> None:
        """port: by name or number; None: the only one. defaults: zone, capacity and labels of what is found."""
        self._pool = pool
        self._port = port
        self._scheme = scheme
        self._defaults = defaults
        self._slices: dict[str, Mapping[str, Any]] = {}

    def reset(self, items: list[Mapping[str, Any]]) -> None:
        """These are all. Raises KeyError or TypeError for what is no EndpointSlice."""
        self._slices = {item["metadata"]["name"]: item for item in items}

    def change(self, kind: str, item: Mapping[str, Any]) -> None:
        """One was `ADDED`, `MODIFIED` or `DELETED`. Raises KeyError or TypeError for what is no EndpointSlice."""
        name = item["metadata"]["name"]
        if kind == "DELETED":
            self._slices.pop(name, None)
        else:
            self._slices[name] = item

    def found(self) -> list[Found]:
        """The nodes. One that stands in two slices is leaving only if it is in both. Raises KeyError, TypeError."""
        found: dict[str, Found] = {}
        for item in self._slices.values():
            port = self._port_of(item)
            for endpoint in item.get("endpoints") or () if port is not None else ():
                for one in self._nodes(endpoint, port):
                    before = found.get(one.node.id)
                    if before is None or before.leaving:
                        found[one.node.id] = one
        return list(found.values())

    def _port_of(self, item: Mapping[str, Any]) -> int | None:
        ports = [port for port in item.get("ports") or () if port.get("protocol", "TCP") == "TCP" and port.get("port")]
        if self._port is not None:
            ports = [port for port in ports if self._port in (port.get("name"), str(port["port"]))]
        return int(ports[0]["port"]) if len(ports) == 1 else None

    def _nodes(self, endpoint: Mapping[str, Any], port: int | None) -> Iterator[Found]:
        conditions = endpoint.get("conditions") or {}
        ready, serving = conditions.get("ready") is not False, conditions.get("serving") is not False
        terminating = conditions.get("terminating") is True
        addresses = endpoint.get("addresses") or ()
        if port is None or not addresses or not (ready or serving or terminating):
            return
        # Consumers are to use the first address alone.
        address, target = str(addresses[0]), endpoint.get("targetRef") or {}
        name = name_of(str(target.get("name") or address))
        node = Node(node_id(self._pool, name), self._pool, url_of(self._scheme, address, port),
                    str(endpoint.get("zone") or self._defaults.zone), self._defaults.labels, self._defaults.capacity)
        yield Found(node, leaving=terminating or not ready)
