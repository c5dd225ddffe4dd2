"""Which route a hello takes: the longest path prefix on segment borders; a route with a host before one without."""

from collections.abc import Sequence

from sbc.model.route import Route


class Routes:
    """The routes of a configuration, in the order in which they are tried."""

    __slots__ = ("_ordered",)

    def __init__(self, routes: Sequence[Route]) -> None:
        ordered = sorted(routes, key=lambda route: (route.host is None, -len(route.path.rstrip("/"))))
        self._ordered = [(route.host.lower() if route.host is not None else None, route) for route in ordered]

    def find(self, host: str, path: str) -> Route | None:
        """The route of a request. host: the Host header's value, its port is not looked at."""
        name: str | None = None
        for wanted, route in self._ordered:
            if wanted is not None:
                name = name or _without_port(host).lower()
                if wanted != name:
                    continue
            if route.path == "/" or under(path, route.path):
                return route
        return None


def under(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or lies below it: `/tutor` takes `/tutor/a`, not `/tutors`."""
    stem = prefix.rstrip("/")
    return path == stem or path.startswith(stem + "/") or stem == ""


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
