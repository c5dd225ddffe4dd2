"""Deterministic agents for the simulated world: what they say depends on nothing but what they were told, in order."""

import json
from zlib import crc32

from sbc.core.frames import Opcode, build, payload_of, read_frame
from sbc.model.binding import Checkpoint, Resume
from sbc.model.ids import NodeId
from sbc.model.leg import Role
from sbc.model.manifest import Output


def answers(digest: int, message: str) -> tuple[int, list[str]]:
    """One step of every agent: the next digest, and the none to three messages that it leads to."""
    digest = crc32(message.encode(), digest)
    return digest, [f"{digest:08x}.{number}" for number in range(digest % 4)]


def all_answers(messages: list[str]) -> list[str]:
    """What a client that has said all this is to hear, in one life without any fault."""
    digest, heard = 0, []
    for message in messages:
        digest, said = answers(digest, message)
        heard += said
    return heard


def split(data: bytes, *, masked: bool) -> list[bytes]:
    """Whole messages as they stand on the wire, one by one."""
    messages, begin, at = [], 0, 0
    while at < len(data):
        frame = read_frame(data, at, masked=masked, deflate=False, limit=1 << 20)
        assert frame is not None and frame.end <= len(data), "half a message was passed on"
        at = frame.end
        if frame.fin:
            messages.append(data[begin:at])
            begin = at
    return messages


def text_of(message: bytes) -> str:
    return payload_of(message, 1 << 20)[1].decode()


class Agent:
    """One session inside one node, from the invitation on."""

    def __init__(self, node: NodeId, seat: int, epoch: int, role: Role, checkpoint: Checkpoint | None) -> None:
        self.node = node
        self.seat = seat
        self.epoch = epoch
        self.role = role
        self.received = self.sent = self.digest = self.skip = 0
        self.todo: list[str] = []
        self.load(checkpoint)

    def load(self, checkpoint: Checkpoint | None) -> None:
        """Go on from a checkpoint; None: from birth."""
        self.received, self.sent, self.digest, self.todo = 0, 0, 0, []
        if checkpoint is not None:
            assert checkpoint.state is not None
            self.received, self.sent, self.digest, self.todo = json.loads(checkpoint.state)
            assert (checkpoint.received, checkpoint.sent) == (self.received, self.sent)

    def resume(self, resume: Resume, output: Output) -> None:
        """The edge says how far the session is: it has to fit the checkpoint that the edge handed back."""
        assert (resume.received, resume.sent) == (self.received, self.sent), "resumed from another point than invited"
        assert resume.delivered >= resume.sent
        self.skip = resume.delivered if output is Output.CONTINUE else 0

    def hear(self, frame: bytes) -> None:
        """Take a client message as it came on the leg."""
        self.received += 1
        self.digest, said = answers(self.digest, text_of(frame))
        self.todo += said

    def speak(self) -> bytes:
        """Say the next thing, unless the client has it already: the bytes for the leg. A standby is silent."""
        if not self.todo or self.role is Role.STANDBY:
            return b""
        self.sent += 1
        text = self.todo.pop(0)
        return b"" if self.sent <= self.skip else build(Opcode.TEXT, text.encode(), None)

    def checkpoint(self) -> Checkpoint:
        """Make everything durable."""
        state = json.dumps([self.received, self.sent, self.digest, self.todo])
        return Checkpoint(self.received, self.sent, state)
