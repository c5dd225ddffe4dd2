"""What may be written about the network: marks on packets, and what is ordered of the kernel."""

from typing import Annotated, Any, Final

from pydantic import Field

from sbc.config.faults import Wrong
from sbc.config.section import Section, default
from sbc.config.units import Size
from sbc.config.values import File, Reads, patterned, whole

CODE_POINTS: Final = {
    "DF": 0, "LE": 1, "VA": 44, "EF": 46, **{f"CS{number}": 8 * number for number in range(8)},
    **{f"AF{class_}{drop}": 8 * class_ + 2 * drop for class_ in range(1, 5) for drop in range(1, 4)},
}  # fmt: skip
"""The registered names of DSCP (RFC 2474, 2597, 3246, 5865, 8622)."""


def code_point(value: Any) -> int:
    """A DSCP by its name or number. Raises Wrong."""
    if isinstance(value, str) and value in CODE_POINTS:
        return CODE_POINTS[value]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 63:
        return value
    raise Wrong("not a DSCP", "EF, VA, AF11 to AF43, CS0 to CS7, LE, DF, or a number from 0 to 63")


CodePoint = Annotated[int, Reads(code_point, {"anyOf": [
    {"type": "string", "pattern": f"^(?:{'|'.join(CODE_POINTS)})$", "examples": ["EF"]},
    {"type": "integer", "minimum": 0, "maximum": 63}]})]
Device = Annotated[str, patterned("[A-Za-z0-9_.@-]{1,15}", "the name of a network device, such as eth0", "eth0")]


class Marking(Section):
    """What the packets of sessions bear (DSCP), on both legs, by class; null: nothing."""

    synchronous: CodePoint | None = default("EF")
    """Of synchronous sessions."""
    interactive: CodePoint | None = default("AF31")
    """Of interactive sessions."""
    autonomous: CodePoint | None = default("LE")
    """Of autonomous sessions."""


class Shares(Section):
    """What each class has of a device for certain, in percent of its rate. The rest is for what bears no mark."""

    synchronous: Annotated[int, whole(1, 60)] = 40
    """Of synchronous sessions: they leave first."""
    interactive: Annotated[int, whole(1, 30)] = 25
    """Of interactive sessions: they leave after what bears no mark."""
    autonomous: Annotated[int, whole(1, 9)] = 5
    """Of autonomous sessions: they leave last."""


class Shaping(Section):
    """How packets leave a device."""

    device: Device
    """The network device."""
    rate: Annotated[int, Size("64KiB", "50GB")]
    """Bytes a second that may leave it: a little less than what its line takes, or queues grow where nobody sorts
    them."""
    shares: Shares = Field(default_factory=Shares)
    """What each class has of it for certain; it may have more while nobody else needs it."""


class Kernel(Section):
    """What the warden (`sbc kernel`) is asked for; without it the edge orders nothing."""

    socket: File = "/run/sbc-kernel.sock"
    """Where the warden takes orders."""
    shaping: list[Shaping] = Field(default=[], max_length=16)
    """Devices that packets leave in the order of their classes."""
