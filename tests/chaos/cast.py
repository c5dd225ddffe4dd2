"""Who plays: the hosts by what runs on them, and how the edges are built. Drawn from the seed of a run."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Cast:
    """The hosts, by what runs on them."""

    edges: tuple[str, ...]
    nodes: tuple[str, ...]
    plain: tuple[str, ...]
    redis: tuple[str, ...]
    sentinels: tuple[str, ...]
    clients: tuple[str, ...]
    workers: int = 1
    """Of each edge."""
    joined: bool = False
    """Requests go to the edge that has their session (`edge.interconnect`), instead of claiming it."""
    floats: bool = False
    """The edges share an address, and it is the only one that clients know."""

    @classmethod
    def of(cls, edges: int, nodes: int, plain: int, redis: int, sentinels: int, clients: int) -> "Cast":
        """So many of each, with short names."""
        def named(letter: str, count: int) -> tuple[str, ...]:
            return tuple(f"{letter}{number}" for number in range(1, count + 1))
        return cls(named("e", edges), named("n", nodes), named("p", plain), named("r", redis), named("s", sentinels),
                   named("c", clients))

    @classmethod
    def drawn(cls, seed: int, edges: int = 2) -> "Cast":
        """That of a run. The periods have no common divisor, so that seeds in a row meet every combination."""
        clustered = seed % 5 == 0
        cast = cls.of(edges, nodes=3, plain=2, redis=6 if clustered else 2, sentinels=0 if clustered else 3, clients=2)
        return replace(cast, workers=2 if seed % 3 == 0 else 1, joined=seed % 2 == 1, floats=seed % 7 == 0)

    @property
    def clustered(self) -> bool:
        """Whether the store is a Redis Cluster: the first half of its servers, each with a replica in the other."""
        return not self.sentinels and len(self.redis) > 2

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Servers of the store that take each other's place."""
        half = len(self.redis) // 2
        return list(zip(self.redis[:half], self.redis[half:], strict=True)) if len(self.redis) > 1 else []

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.redis + self.sentinels + self.edges + self.nodes + self.plain + self.clients

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Between whom anything is said."""
        stores = self.redis + self.sentinels
        return [(one, other) for some, others in (
            (self.edges, stores), (self.edges, self.nodes + self.plain), (self.clients, self.edges),
            (self.sentinels, self.redis), (self.edges[:1], self.edges[1:]),
        ) for one in some for other in others] + self.pairs

    def __str__(self) -> str:
        told = [f"{len(self.edges)} edges"]
        told += [f"of {self.workers} workers"] if self.workers > 1 else []
        told += ["joined"] if self.joined else []
        told += ["with a shared address"] if self.floats else []
        return " ".join([*told, "on", "a Redis Cluster" if self.clustered else f"{len(self.redis)} Redis"])
