"""What a configuration says about sessions, in the form the hall asks it. Replaced whole by a reload."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sbc.config import Config
from sbc.core.access import Doorman
from sbc.core.routing import Routes
from sbc.core.seal import Seal
from sbc.model.abuse import AbuseRules
from sbc.model.capacity import Capacity
from sbc.model.ids import AgentName, PoolName
from sbc.model.manifest import Continuity, Manifest
from sbc.model.policy import Policy
from sbc.model.route import Route
from sbc.protocols.protocol import Protocol
from sbc.protocols.registry import make_protocol
from sbc.runtime.authorities import Authorities


@dataclass(frozen=True, slots=True)
class Rules:
    """All of it, which one assignment replaces."""
    routes: Routes
    agents: Mapping[AgentName, Manifest]
    policies: Mapping[str, Policy]
    protocols: Mapping[str, Protocol]
    """By the name of the route."""
    seal: Seal
    head: tuple[int, int, float]
    """What holds for a hello before its route is known: bytes, fields, seconds; the widest of all policies."""
    hops: Mapping[str, int]
    """How many proxies are trusted that stand before a listener, by its name."""
    authorities: Authorities
    """Who may come in, by policy."""
    doormen: Mapping[str, Doorman]
    """By the name of the policy; those that let everybody in have none."""
    abuse: AbuseRules
    """What is done about sources that misbehave."""
    capacity: Capacity
    classes: Mapping[PoolName, frozenset[Continuity]]
    """The classes of the agents of each pool."""
    watched: bool
    """Whether any agent has a latency ceiling."""

    def protocol_of(self, route: Route) -> Protocol:
        return self.protocols[route.name]

    def policy_of(self, route: Route) -> Policy:
        return self.policies[route.policy]


def rules(config: Config, seal: Seal, former: Rules | None = None) -> Rules:
    """The rules of a configuration. former: those that these replace.

    Raises OSError or ssl.SSLError if the keys of an issuer, or who vouches for them, cannot be read."""
    limits = [policy.limits for policy in config.policies.values()]
    head = (
        max(limit.head for limit in limits), max(limit.headers for limit in limits),
        max(limit.head_timeout for limit in limits),
    )  # fmt: skip
    protocols = {route.name: make_protocol(route, config.agents[route.agent]) for route in config.routes}
    hops = {listener.name: listener.trusted_hops for listener in config.listeners}
    doormen = {name: Doorman(policy.access) for name, policy in config.policies.items() if policy.access is not None}
    return Rules(Routes(config.routes), config.agents, config.policies, protocols, seal, head, hops,
                 Authorities(config.policies, former.authorities if former is not None else None), doormen,
                 abuse_of(config), config.capacity, _classes(config),
                 any(agent.latency_ceiling is not None for agent in config.agents.values()))


def abuse_of(config: Config) -> AbuseRules:
    """What is done about sources that misbehave; never to proxies that speak for others."""
    proxies = [network for door in config.listeners if door.proxy_protocol != "off" for network in door.proxy_from]
    return replace(config.abuse, exempt=(*config.abuse.exempt, *proxies))


def _classes(config: Config) -> dict[PoolName, frozenset[Continuity]]:
    return {
        pool: frozenset(manifest.continuity for manifest in config.agents.values() if manifest.pool == pool)
        for pool in config.pools
    }
