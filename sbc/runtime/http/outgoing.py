"""What a node is sent: the client's request without what is not its business, with what the edge has to say."""

from sbc.core.dialog import Dialog
from sbc.core.forwarding import node_fields, node_target
from sbc.core.octets import decimal
from sbc.model.binding import Resume
from sbc.model.commands import OpenLeg
from sbc.model.http import Fields, Request, plain_request
from sbc.model.ids import PrincipalId
from sbc.model.leg import Role
from sbc.model.node import Node
from sbc.runtime.websocket.opening import resume_header


class Place:
    """A seat of a session made of exchanges: what its node is told with each request (docs/DESIGN.md 5.3)."""

    __slots__ = ("_fields", "_principal", "node", "resume")

    def __init__(self, node: Node, dialog: Dialog, order: OpenLeg, principal: PrincipalId | None) -> None:
        """principal: who the client is proven to be; None: it was not asked."""
        self.node = node
        self._principal = principal
        self.resume: bytes | None = resume_header(order.resume).encode() if order.resume is not None else None
        """From where the owner goes on: with each request until it has answered one."""
        self._fields = _session_fields(dialog, order.epoch, order.role, principal)

    def serves(self, dialog: Dialog) -> None:
        """The seat is the owner's from here on; a standby is told so with the first request it gets."""
        owner = dialog.owner
        if owner is not None:
            self._fields = _session_fields(dialog, owner.epoch, Role.OWNER, self._principal)

    def goes_on_from(self, resume: Resume) -> None:
        self.resume = resume_header(resume).encode()

    def fields(self, number: int) -> Fields:
        """The edge's own fields for the request of this number."""
        fields = [*self._fields, (b"session-message", decimal(number))]
        if self.resume is not None:
            fields.append((b"session-resume", self.resume))
        return fields


def _session_fields(dialog: Dialog, epoch: int, role: Role, principal: PrincipalId | None) -> Fields:
    fields = [
        (b"session-id", dialog.session.encode()), (b"session-epoch", b"%d" % epoch),
        (b"session-class", dialog.manifest.continuity.value.encode()),
        (b"session-agent", dialog.manifest.agent.encode()), (b"session-role", role.value.encode()),
    ]  # fmt: skip
    if principal is not None:
        fields.append((b"session-principal", principal.encode()))
    return fields


def outgoing(request: Request, own: Fields) -> Request:
    """A client's request as a node is to see it. own: the edge's own fields."""
    fields = node_fields(request)
    fields += own
    return plain_request(request.method, node_target(request.target), request.authority, fields, request.bodied,
                         request.length, "1.1")  # fmt: skip
