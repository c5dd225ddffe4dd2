"""The protocols there are, by the names that stand in the YAML."""

from collections.abc import Callable, Mapping

from sbc.protocols.protocol import Protocol

PROTOCOLS: Mapping[str, Callable[[], Protocol]] = {
    "opaque": Protocol,
}
