"""What may be written about the network: marks on packets, and what is ordered of the kernel."""

from ipaddress import ip_interface
from typing import Annotated, Any, Final

from pydantic import Field

from sbc.config.faults import Wrong
from sbc.config.section import Section, default
from sbc.config.units import Duration, Size
from sbc.config.values import File, Reads, patterned, whole

ADDRESS_LEASE: Final = "10s"
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


def interface(value: Any) -> str:
    """An address with its prefix, in its shortest form. Raises Wrong."""
    try:
        written = ip_interface(value if isinstance(value, str) and "/" in value and "%" not in value else "")
    except ValueError:
        raise Wrong("no address with the length of its network's prefix", "192.0.2.10/24 or 2001:db8::10/64") from None
    if written.ip.is_multicast or written.ip.is_unspecified or written.ip.is_loopback:
        raise Wrong("an address that no device can share", "one of the network that clients come from")
    return str(written)


CodePoint = Annotated[int, Reads(code_point, {"anyOf": [
    {"type": "string", "pattern": f"^(?:{'|'.join(CODE_POINTS)})$", "examples": ["EF"]},
    {"type": "integer", "minimum": 0, "maximum": 63}]})]
Device = Annotated[str, patterned("[A-Za-z0-9_.@-]{1,15}", "the name of a network device, such as eth0", "eth0")]


Interface = Annotated[str, Reads(interface, {"type": "string", "pattern": "^[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}$",
                                             "examples": ["192.0.2.10/24"]})]


class SharedAddress(Section):
    """An address that one edge of several has at a time: another one takes it when it is gone. It needs a Redis store,
    and the warden."""

    share: Interface
    """The address, with its prefix. The edges that share it write the same; no device has it by itself."""
    device: Device
    """The network device that has it while this edge does."""
    lease: Annotated[float, Duration("3s", "10m")] = default(ADDRESS_LEASE)
    """For how long it stays with an edge that cannot reach the store, or with a machine that is lost; not longer than
    `redis.lease`. The address of a process that died, or that was stopped, is taken at once."""


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
