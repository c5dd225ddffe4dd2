"""What may happen in the simulated world, a step at a time, told by (word, number) pairs: a script is data."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sbc.core.dialog import ClientSide, NodeSide
from sbc.core.frames import Opcode, build
from sbc.model.binding import Checkpoint
from sbc.model.events import (
    Accepted,
    BindFailed,
    BindLost,
    Bound,
    Checkpointed,
    ClientLost,
    DeadlinePassed,
    Declined,
    LegClosed,
    LegOpened,
    LegRefused,
    MoveOrdered,
    NodeReady,
    NodeSilent,
    Reattached,
    TurnEnded,
)  # fmt: skip
from sbc.model.ids import NodeId
from sbc.model.leg import Cause, Role, State
from tests.core.agents import Agent
from tests.core.world import NodeLeg, World

T = TypeVar("T")
MASK = b"\x81\x12\x00\xff"


def pick(number: int, choices: Sequence[T]) -> T | None:
    return choices[number % len(choices)] if choices else None


def say(world: World, number: int) -> None:
    """The client says something, in one frame or two, whole or only a part of it for now."""
    if not world.linked:
        return
    text = f"m{len(world.said) + len(world.outbox)}-{number}".encode()
    if number % 3 == 0:  # RFC 6455 section 5.4: in two fragments
        first, rest = bytearray(build(Opcode.TEXT, text[:2], MASK)), build(Opcode.CONTINUATION, text[2:], MASK)
        first[0] &= 0x7F
        frame = bytes(first) + rest
    else:
        frame = build(Opcode.TEXT, text, MASK)
    world.outbox.append(frame)
    cut = number % 7 if number % 5 == 0 else len(frame)
    world.from_client(frame[:cut])
    if cut < len(frame) and number % 2:  # the rest comes, or the client is cut off in the middle
        world.from_client(frame[cut:])
    elif cut < len(frame):
        leave(world, number)


def hear(world: World, number: int) -> None:
    world.hear(number % 5 + 1)


def _leg(world: World, number: int) -> tuple[int, NodeLeg] | None:
    return pick(number, list(world.legs.items()))


def to_node(world: World, number: int) -> None:
    """A leg delivers some messages to its node."""
    if (found := _leg(world, number // 4)) and not found[1].broken:
        leg = found[1]
        for _ in range(number % 4 + 1):
            if leg.to_node:
                leg.agent.hear(leg.to_node.pop(0))


def speak(world: World, number: int) -> None:
    """A node says some of what it has to say."""
    if (found := _leg(world, number // 4)) and not found[1].broken:
        for _ in range(number % 4 + 1):
            found[1].to_edge += found[1].agent.speak()


def to_edge(world: World, number: int) -> None:
    """A leg delivers some bytes to the edge."""
    if found := _leg(world, number // 64):
        world.from_node(found[0], number % 64)


def checkpoint(world: World, number: int) -> None:
    """A node checkpoints; so may one that the dialog has left without the node knowing."""
    agent = pick(number, [agent for agent in world.agents.values() if agent.role is Role.OWNER])
    if agent is not None:
        world.trunks[agent.node].append(Checkpointed(agent.node, agent.epoch, agent.checkpoint()))


def trunk(world: World, number: int) -> None:
    """A trunk delivers its next message, or two."""
    waiting = [node for node, queue in world.trunks.items() if queue]
    if (node := pick(number, waiting)) is not None:
        for _ in range(1 + number % 2):
            if world.trunks[node]:
                world.tell(world.trunks[node].pop(0))


def lie(world: World, number: int) -> None:
    """A node claims more than it was sent, less than it claimed before, or speaks for another epoch or node."""
    owner, dialog = world.dialog.owner, world.dialog
    if owner is None:
        return
    beyond = Checkpoint(dialog.inbound.count + 1 + number % 3, dialog.outbound.count, "lie")
    world.tell(Checkpointed(owner.node, owner.epoch, beyond))
    here = Checkpoint(dialog.sent, dialog.outbound.count, "lie")
    world.tell(Checkpointed(owner.node, owner.epoch - 1, here))
    other = pick(number, sorted({*world.trunks} - {owner.node}))
    assert other is not None
    world.tell(Checkpointed(other, owner.epoch, here))
    if dialog.checkpoint is not None and dialog.checkpoint.received:
        less = Checkpoint(dialog.checkpoint.received - 1, dialog.outbound.count, "lie")
        world.tell(Checkpointed(owner.node, owner.epoch, less))


def store(world: World, number: int) -> None:
    """The store answers; now and then it cannot."""
    if not world.binds:
        return
    bind = world.binds.pop(0)
    if number % 8 == 7 and world.record is not None:
        world.tell(BindFailed())
    elif (world.record.epoch if world.record else None) == bind.expected:
        world.record = bind.binding
        world.tell(Bound(bind.binding))
    else:
        world.tell(BindLost())


def invited(world: World, number: int) -> None:
    """A node answers an invitation. The dialog may have left the seat by now."""
    if not world.invites:
        return
    invite = world.invites.pop(number % len(world.invites))
    if number % 6 == 5 or invite.node not in world.up:
        world.tell(Declined(invite.seat, "busy"))
        return
    agent = Agent(invite.node, invite.seat, invite.epoch, invite.role, invite.checkpoint)
    world.agents[invite.node, invite.seat] = agent
    world.tell(Accepted(invite.seat))


def opened(world: World, number: int) -> None:
    """The opening of a leg succeeds, or not."""
    seat = pick(number, list(world.opening))
    if seat is None:
        return
    order = world.opening.pop(seat)
    agent = world.agents.get((order.node, seat))
    if agent is None or number % 6 == 5:
        world.tell(LegRefused(seat, 503 if number % 2 else 0, "no"))
        return
    if order.resume is not None:
        agent.resume(order.resume, world.migration.output)
    world.legs[seat] = NodeLeg(agent)
    world.tell(LegOpened(seat))


def kill(world: World, number: int) -> None:
    """A node dies: what it had sent comes through up to some byte, and the edge knows nothing yet."""
    node = pick(number, sorted(world.up))
    if node is None:
        return
    world.up.discard(node)
    for key in [key for key in world.agents if key[0] == node]:
        del world.agents[key]
    for leg in world.legs.values():
        if leg.agent.node == node:
            leg.broken = True
            del leg.to_edge[number // 4 :]
    if number % 3 == 0:
        world.trunks[node].clear()


def broken(world: World, number: int) -> None:
    """The edge sees that a leg is closed, or that the node is down, or believes so of one that lives."""
    found = pick(number, [item for item in world.legs.items() if item[1].broken])
    if number % 4 == 3:
        _silent(world, pick(number // 4, sorted(world.trunks)))
    elif found is not None and number % 4 == 2:
        _silent(world, found[1].agent.node)
    elif found is not None:
        seat, leg = found
        if number % 4 == 1:
            world.from_node(seat, len(leg.to_edge))
        world.tell(LegClosed(seat, 1006, "reset"))


def _silent(world: World, node: NodeId | None) -> None:
    assert node is not None
    standing = world.roster.get(node)
    assert standing is not None
    standing.health.alive = node in world.up
    world.tell(NodeSilent(node))


def revive(world: World, number: int) -> None:
    """A dead node is started again."""
    node = pick(number, sorted({*world.trunks} - world.up))
    if node is not None:
        world.up.add(node)
        standing = world.roster.get(node)
        assert standing is not None
        standing.health.alive = True
        world.tell(NodeReady())


def leave(world: World, _number: int) -> None:
    """The client's link breaks, and what was under way to it is lost."""
    if world.linked:
        world.linked = False
        world.to_client, world.outbox = [], []
        world.tell(ClientLost())


def back(world: World, number: int) -> None:
    """The client comes back with its true count; now and then while its former link seems to stand."""
    if world.dialog.client is ClientSide.AWAY or (world.linked and number % 4 == 0):
        world.tell(Reattached(world.heard))


def move(world: World, number: int) -> None:
    """A planned move is ordered: to a certain node or to any."""
    to = pick(number, sorted(world.trunks)) if number % 3 == 0 else None
    world.tell(MoveOrdered(to, Cause.MIGRATION, (number % 4) * 0.1))


def turn(world: World, _number: int) -> None:
    world.tell(TurnEnded())


def tick(world: World, number: int) -> None:
    """Time passes; the shell keeps the dialog's deadline, more or less punctually."""
    world.now += (0.01, 0.06, 0.2, 1.1)[number % 4] if number % 16 else 3.2
    if world.dialog.deadline is not None and world.now >= world.dialog.deadline:
        world.tell(DeadlinePassed())


STEPS: dict[str, Callable[[World, int], None]] = {
    step.__name__: step
    for step in (say, hear, to_node, speak, to_edge, checkpoint, trunk, lie, store, invited, opened, kill, broken,
                 revive, leave, back, move, turn, tick)
}  # fmt: skip


def take(world: World, word: str, number: int) -> None:
    """One step; a session that is over takes none."""
    if world.closed is None:
        STEPS[word](world, number)


def calm(world: World) -> None:
    """From here on everything works: all that is under way arrives, until nothing is left to do."""
    for node in sorted({*world.trunks} - world.up):
        world.up.add(node)
    for standing in world.roster:
        standing.health.alive = True
    take(world, "back", 0 if world.dialog.client is ClientSide.AWAY else 1)
    for _ in range(600):
        for word, count in (("broken", 4), ("store", 2), ("invited", 4), ("opened", 4), ("to_node", 8), ("speak", 12),
                            ("to_edge", 8), ("trunk", 6), ("hear", 6)):
            for number in range(count):
                take(world, word, number * 64 + 63 if word == "to_edge" else number * 4)
        take(world, "tick", 1)
        if world.closed is not None or _quiet(world):
            return
    raise AssertionError("the session does not come to rest")


def _quiet(world: World) -> bool:
    dialog = world.dialog
    under_way = any(
        leg.to_node or leg.to_edge or (leg.agent.todo and leg.agent.role is Role.OWNER) for leg in world.legs.values()
    )
    return (
        dialog.state is State.CONFIRMED and dialog.node is NodeSide.SERVING and dialog.move is None
        and not under_way and not world.to_client and not world.opening and not world.invites and not world.binds
    )  # fmt: skip
