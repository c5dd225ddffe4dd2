"""What is wrong in what is written about other edges (check.py)."""

from collections.abc import Iterator
from ipaddress import ip_address

from sbc.config.faults import Fault, Wrong, fault
from sbc.config.store_url import is_redis
from sbc.config.tree import Tree
from sbc.config.values import address
from sbc.config.walk import get


def interconnect(tree: Tree) -> Iterator[Fault]:
    """Edges find each other by a store that they share, and need to know where."""
    here = ("edge", "interconnect")
    found, store = get(tree.value, *here), get(tree.value, "edge", "store")
    if not isinstance(found, dict):
        return
    if not (isinstance(store, str) and is_redis(store)):
        yield fault(tree.position(here), here, "there are no other edges without a store that edges share",
                    "edge.store: redis://HOST:PORT, or leave it out")
    try:
        listen = address(found.get("listen"))
    except Wrong:
        return  # that is told where it stands
    if ip_address(listen.host).is_unspecified and found.get("advertise") is None:
        at = (*here, "listen")
        yield fault(tree.position(at), at, "no address at which another edge could reach this one",
                    "advertise: HOST:PORT beside it", str(listen))
