"""What is wrong between the sections in rules that policies and `abuse` make (check.py)."""

from collections.abc import Iterator
from typing import Any

from sbc.config.faults import Fault, Path, fault
from sbc.config.schema import REFUSE
from sbc.config.tree import Tree
from sbc.config.walk import ALWAYS_THERE, entries, get, is_number

FRAMING = frozenset({
    "connection", "content-length", "expect", "forwarded", "host", "keep-alive", "mcp-session-id", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade", "x-real-ip",
})  # fmt: skip
"""Headers that say how a message is framed, sent on, or whose it is."""


def blocks(tree: Tree) -> Iterator[Fault]:
    """The kernel is for those whom the edge refuses already."""
    here: Path = ("abuse", "block")
    abuse, block = get(tree.value, "abuse"), get(tree.value, "abuse", "block")
    if block is not None and get(tree.value, "kernel") is None:
        yield fault(tree.position(here), here, "nobody is there to carry it out", "write kernel: {}, or leave it out",
                    block)
    refuse = abuse.get("refuse", REFUSE) if block is not None else None
    if refuse is not None and not is_number(refuse):
        return  # that is told where it stands
    if is_number(block) and (refuse is None or refuse >= block):
        right = f"more than refuse, which is {refuse}" if refuse is not None else "write refuse, too"
        yield fault(tree.position(here), here, "sources are refused before they are blocked", right, block)


def headers(tree: Tree) -> Iterator[Fault]:
    """What a policy may do to heads, and what is the edge's alone."""
    keys = {(str(get(route, "policy") or ALWAYS_THERE), name) for _, route in entries(tree, "routes")
            for name in _key_headers(get(route, "session"))}  # fmt: skip
    for path, policy in entries(tree, "policies"):
        for what in ("set", "remove", "tell"):
            found = get(policy, "headers", what)
            for number, name in enumerate(found if isinstance(found, dict | list) else ()):
                here = (*path, "headers", what, number if what == "remove" else name)
                low = name.lower() if isinstance(name, str) else ""
                if low in FRAMING or low.startswith(("session-", "x-forwarded-")):
                    yield fault(tree.position(here), here, "a header that the edge writes itself", "another one", name)
                elif what != "set" and (path[-1], low) in keys:
                    yield fault(tree.position(here), here, "a route of this policy has its sessions' keys there",
                                "another header, or another key", name)


def _key_headers(session: Any) -> Iterator[str]:
    """The headers that a route takes its keys from."""
    match session:
        case {"header": str(name)}:
            yield name.lower()
        case {"cookie": str()}:
            yield "cookie"
        case {"jwt_claim": str()}:
            yield "authorization"
