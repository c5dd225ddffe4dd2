"""What is wrong between the keys of a pool's `discover` (check.py)."""

from collections.abc import Iterator

from sbc.config.faults import Fault, fault
from sbc.config.tree import Tree
from sbc.config.walk import entries, get

KINDS = ("dns", "files", "kubernetes")


def discoveries(tree: Tree) -> Iterator[Fault]:
    """Nodes are found in one place, whose ports are known."""
    for pool, section in entries(tree, "pools"):
        path, discover = (*pool, "discover"), get(section, "discover")
        if not isinstance(discover, dict):
            continue
        written = [kind for kind in KINDS if discover.get(kind) is not None]
        if len(written) != 1:
            what = "nowhere to look" if not written else f"{' and '.join(written)} at once"
            yield fault(tree.position(path), path, what, f"one of {', '.join(KINDS)}")
        dns = discover.get("dns")
        if isinstance(dns, dict) and (dns.get("port") is None) is not (dns.get("srv") is True):
            right = "leave port out, for SRV records say it" if dns.get("srv") is True else "write port, or srv: true"
            yield fault(tree.position((*path, "dns")), (*path, "dns"), "where the nodes listen is not clear", right)
