"""What a drain asks of the sessions on its node: all at once, and again only if there is somebody to take them."""

from typing import cast

from sbc.model.events import DeadlinePassed, Event, MoveOrdered
from sbc.runtime.movers import Movers
from sbc.runtime.session import Session
from sbc.runtime.tasks import Tasks
from tests.core.playbook import confirmed, owner, play
from tests.core.world import roster_of
from tests.support.wait import wait_until


class Seated:
    """What a drain sees of a session: its dialog, which is told."""

    def __init__(self) -> None:
        self.roster = roster_of(1)
        self.dialog = confirmed(roster=self.roster)
        self.told: list[Event] = []
        self.now = 0.0
        self.looks = 0

    def tell(self, event: Event) -> None:
        self.told.append(event)
        play(self.dialog, (self.now, event, None))

    def here(self) -> list[Session]:
        self.looks += 1
        play(self.dialog, (self.now, DeadlinePassed(), None))
        return [cast(Session, self)]

    async def looked_at(self) -> None:
        """The drain has had the time to ask again."""
        before = self.looks
        await wait_until(lambda: self.looks > before + 2, "another look")


async def test_a_session_that_nobody_can_take_is_asked_once_until_somebody_can() -> None:
    seated = Seated()
    node = owner(seated.dialog).node
    drained = seated.roster.get(node)
    assert drained is not None
    drained.health.draining = True
    async with Tasks() as tasks:
        movers = Movers(seated.roster, tasks.spawn, lambda _: seated.here(), lambda: seated.now, lambda _: None,
                        lambda: 1000.0)  # fmt: skip
        movers.drain(node, None)
        for second in range(1, 6):
            await seated.looked_at()
            seated.now = float(second)
        assert [type(event) for event in seated.told] == [MoveOrdered]
        (spare,) = [other for other in roster_of(2) if other.node.id != node]
        seated.roster.put(spare)
        seated.now += 1.0
        await seated.looked_at()
        assert len(seated.told) == 2 and seated.dialog.move is not None
        drained.health.draining = False
