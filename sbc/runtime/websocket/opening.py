"""How the links of a session are opened: what a node is sent with each leg, and what the client is answered."""

import math
import time
from dataclasses import dataclass

from sbc.core.screening import node_fields, node_target
from sbc.model.binding import Resume
from sbc.model.commands import Answer, OpenLeg
from sbc.model.ids import PrincipalId
from sbc.model.manifest import Manifest
from sbc.model.node import Node
from sbc.model.route import Hello
from sbc.nodes.link import Dial
from sbc.wire.http1 import field_lines
from sbc.wire.upgrade import AGREED, deflate_offer, values


@dataclass(slots=True)
class Opening:
    """What is kept of a client's hello for the legs to come. Bytes, since every live session has one."""

    target: str
    lines: bytes
    host: str
    protocols: tuple[str, ...]
    """The subprotocols to offer: the client's, and once one was chosen, that one alone."""
    deflate: str | None
    """The compression to offer."""


def opening(hello: Hello) -> Opening:
    """What nodes are to see of a hello."""
    return Opening(
        node_target(hello), field_lines(node_fields(hello)), hello.host,
        tuple(values(hello.fields, b"sec-websocket-protocol")), deflate_offer(hello.fields),
    )  # fmt: skip


def dial(order: OpenLeg, node: Node, opened: Opening, session: str, manifest: Manifest,
         principal: PrincipalId | None) -> Dial:  # fmt: skip
    """Everything that is needed to open one leg (docs/DESIGN.md section 5.3). principal: who the client is proven to
    be; None: it was not asked."""
    headers = [
        ("Session-Id", session), ("Session-Epoch", str(order.epoch)), ("Session-Class", manifest.continuity.value),
        ("Session-Agent", manifest.agent), ("Session-Role", order.role.value),
    ]  # fmt: skip
    if principal is not None:
        headers.append(("Session-Principal", principal))
    if order.resume is not None:
        headers.append(("Session-Resume", resume_header(order.resume)))
    return Dial(node.url, opened.target, headers, opened.lines, opened.protocols, opened.deflate,
                manifest.mark)


def resume_header(resume: Resume) -> str:
    """The value of `Session-Resume` (docs/DESIGN.md section 5.3)."""
    return (
        f"received={resume.received}, sent={resume.sent}, delivered={resume.delivered}, cause={resume.cause}"
    )


def expires_in(good_until: float) -> str:
    """The seconds that are left, as `Session-Expires` says them."""
    return str(max(0, int(good_until - time.time())))


def answer_headers(
    order: Answer, token: str, protocol: str | None, deflate: bool, received: int, good_until: float
) -> list[tuple[str, str]]:
    """What the 101 tells the client. received: how many of its messages the edge has; good_until: until when it is
    proven who it is, in wall-clock seconds."""
    headers = [("Session-Id", token)]
    if good_until < math.inf:
        headers.append(("Session-Expires", expires_in(good_until)))
    if order.resumed is not None:
        headers.append(("Session-Gap", str(order.gap)) if order.gap else ("Session-Resumed", str(order.resumed)))
        headers.append(("Session-Received", str(received)))
    if protocol is not None:
        headers.append(("Sec-WebSocket-Protocol", protocol))
    if deflate:
        headers.append(("Sec-WebSocket-Extensions", AGREED))
    return headers
