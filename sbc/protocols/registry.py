"""The protocols there are, by the names that stand in the YAML."""

from collections.abc import Callable, Mapping

from sbc.model.manifest import Manifest
from sbc.model.route import Route
from sbc.protocols.a2a import A2A
from sbc.protocols.agentcore import AgentCore
from sbc.protocols.mcp import Mcp
from sbc.protocols.opaque import Opaque
from sbc.protocols.openai import OpenAi
from sbc.protocols.protocol import Protocol
from sbc.protocols.realtime import Realtime
from sbc.protocols.sse import Sse

_MAKERS: Mapping[str, Callable[[Route, tuple[str, ...]], Protocol]] = {
    "opaque": lambda _route, _trust: Opaque(),
    "sse": lambda _route, _trust: Sse(),
    "mcp": lambda _route, trust: Mcp(trust_annotations="annotations" in trust),
    "a2a": lambda route, trust: A2A(deduplicates="message_ids" in trust, prefix=route.path),
    "agentcore": lambda _route, _trust: AgentCore(),
    "openai": lambda _route, _trust: OpenAi(),
    "realtime": lambda _route, _trust: Realtime(),
}


def make_protocol(route: Route, manifest: Manifest) -> Protocol:
    """How the requests of a route are read."""
    return _MAKERS[route.protocol](route, manifest.migration.trust)
