"""The shared address: scripts of what happens to one edge; and of many edges, never two that have it."""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sbc.core.floating import Ask, Drop, Floating, Order, Put, Tell, Where, Yield
from sbc.core.tenure import DRIFT, borne, outlast

LEASE = 10.0
Step = tuple[float, str, tuple[Any, ...], list[Order]]


def play(floating: Floating, *steps: Step) -> None:
    for now, fact, given_, expected in steps:
        assert getattr(floating, fact)(*given_, now) == expected, (now, fact)


def here(asked: float = 0.0, number: int = 7) -> Floating:
    floating = Floating(LEASE, fit=True, warden=True)
    play(floating,
         (asked, "beat", (), [Ask(0)]),
         (asked, "granted", (asked, number), [Put(asked + borne(LEASE), number)]),
         (asked, "assigned", (True,), [Tell("address_taken")]))  # fmt: skip
    assert floating.held
    return floating


def test_it_is_taken_kept_and_handed_over() -> None:
    floating = here()
    play(floating,
         (0.5, "beat", (), [Ask(7)]),
         (0.6, "granted", (0.5, 7), [Put(0.5 + borne(LEASE), 7)]),
         (0.6, "assigned", (True,), []),
         (1.0, "wish", (False,), [Drop()]),
         (1.0, "beat", (), []),
         (1.1, "dropped", (True,), [Yield(7), Tell("address_left")]),
         (1.5, "beat", (), []),
         (2.0, "wish", (True,), []),
         (2.0, "beat", (), [Ask(0)]))  # fmt: skip


@pytest.mark.parametrize(("steps", "where"), [
    # The store is silent: it is kept for as long as the lease is.
    ([(9.0, "beat", (), [Ask(7)]), (9.9, "look", (), [Drop(), Tell("address_lost")]), (9.9, "dropped", (True,), [])],
     Where.AWAY),
    ([(1.0, "refused", (), [Drop(), Tell("address_lost")]),
      (1.1, "dropped", (True,), [Yield(7), Tell("address_left")])], Where.AWAY),
    # Without a warden it is not kept any longer; the next one is told what stands.
    ([(1.0, "warden_there", (False,), []), (1.5, "beat", (), []),
      (2.0, "warden_there", (True,), [Put(borne(LEASE), 7)]), (2.5, "beat", (), [Ask(7)])], Where.HERE),
    ([(1.0, "warden_there", (False,), []), (9.9, "beat", (), [Drop(), Tell("address_lost")])], Where.AWAY),
    ([(1.0, "warden_there", (False,), []), (2.0, "wish", (False,), [Drop()]),
      (3.0, "warden_there", (True,), [Drop()])], Where.GOING),
    # What it was told to take off, and nobody says it has, may be there until then.
    ([(1.0, "give_up", (), [Drop()]), (9.0, "beat", (), []), (9.9, "beat", (), [Drop(), Tell("address_left"), Ask(0)])],
     Where.AWAY),
    ([(1.0, "assigned", (False,), [Drop(), Tell("address_lost")])], Where.GOING),
    # A grant that comes late.
    ([(9.9, "look", (), [Drop(), Tell("address_lost")]), (10.0, "granted", (1.0, 7), [Yield(7)])], Where.AWAY),
    ([(1.0, "give_up", (), [Drop()]), (1.1, "granted", (0.9, 7), [])], Where.GOING),
    # One that another has overtaken.
    ([(1.0, "give_up", (), [Drop()]), (1.1, "dropped", (True,), [Yield(7), Tell("address_left")]),
      (1.3, "granted", (0.9, 9), [Yield(9)]), (1.4, "granted", (1.2, 8), [Yield(8)])], Where.AWAY),
    ([(20.0, "granted", (1.0, 7), [Drop(), Tell("address_lost"), Yield(7)])], Where.AWAY),
])  # fmt: skip
def test_what_may_happen_to_it(steps: list[Step], where: Where) -> None:
    floating = here()
    play(floating, *steps)
    assert floating.where is where


def test_what_the_warden_refuses_others_may_have_at_once() -> None:
    floating = Floating(LEASE, fit=True, warden=True)
    play(floating, (0.0, "beat", (), [Ask(0)]), (0.1, "granted", (0.0, 7), [Put(borne(LEASE), 7)]),
         (0.2, "assigned", (False,), [Drop(), Yield(7)]), (0.5, "beat", (), [Ask(0)]))  # fmt: skip


class World:
    """Edges, each on a machine with a clock of its own, and a store, with messages that take their time or are lost."""

    def __init__(self, seed: int, edges: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.holder: tuple[int, int] | None = None
        self.expires = 0.0
        self.numbers = count(1)
        self.rate = 1 + self.random.uniform(-DRIFT, DRIFT)
        """Of the store's clock."""
        self.since = 0.0
        """Since when it is this store."""
        self.records: list[tuple[tuple[int, int], float]] = []
        self.machines = [Machine(self, number) for number in range(edges)]

    def later(self, wait: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + wait, next(self.order), what))

    def run(self, until: float) -> None:
        while self.events and self.events[0][0] < until:
            self.now, _, what = heapq.heappop(self.events)
            what()
            holders = [machine.number for machine in self.machines if machine.has_it()]
            assert len(holders) <= 1, f"{holders} at {self.now}"

    def hold(self, edge: int, number: int, firm: bool) -> int | None:
        """As redis.lua does it."""
        if self.holder is not None and self.now >= self.expires:
            self.holder = None
        if self.holder != (edge, number):
            if not firm or (self.holder is not None and self.holder[0] != edge):
                return None
            self.holder = (edge, next(self.numbers))
            self.records.append((self.holder, self.now + LEASE / self.rate))
        self.expires = self.now + LEASE / self.rate
        return self.holder[1]

    def replace(self) -> None:
        """It is another one, which has forgotten everything, or what was last."""
        self.since = self.now
        self.holder, self.expires = self.random.choice([(None, 0.0), *self.records[-3:]])


class Machine:
    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.rate = 1 + world.random.uniform(-DRIFT, DRIFT)
        self.ahead = world.random.uniform(-1e3, 1e3)
        self.floating = Floating(LEASE, fit=True, warden=True)
        self.device: float | None = None
        """Until when it has the address, by its own clock."""
        self.stopped = False
        self.cut = False
        world.later(world.random.random(), self.beat)
        world.later(world.random.random() * 20, self.trouble)

    def clock(self) -> float:
        return self.ahead + self.world.now * self.rate

    def has_it(self) -> bool:
        return self.device is not None and self.clock() < self.device

    def beat(self) -> None:
        if self.stopped:
            self.world.later(0.5, self.beat)
            return
        asks = [order for order in self.do(self.floating.beat(self.clock())) if isinstance(order, Ask)]
        self.world.later(0.5, self.beat)
        for ask in asks:
            self.ask(ask, self.clock())

    def ask(self, ask: Ask, asked: float) -> None:
        there, back = (self.world.random.expovariate(2.0) for _ in range(2))

        def arrive() -> None:
            firm = (self.world.now - self.world.since) * self.rate >= outlast(LEASE) * (1 + DRIFT)
            answer = self.world.hold(self.number, ask.number, firm)
            if not self.cut:
                self.world.later(back, lambda: self.hear(asked, answer))
        if not self.cut:
            self.world.later(there, arrive)

    def hear(self, asked: float, number: int | None) -> None:
        if self.stopped:
            self.world.later(0.5, lambda: self.hear(asked, number))
        elif number is not None:
            self.do(self.floating.granted(asked, number, self.clock()))
        else:
            self.do(self.floating.refused(self.clock()))

    def do(self, orders: list[Order]) -> list[Order]:
        for order in orders:
            match order:
                case Put(until, number):
                    self.device = until
                    self.later(lambda: self.floating.assigned(True, self.clock()))
                case Drop():
                    self.device = None
                    self.later(lambda: self.floating.dropped(True, self.clock()))
                case Yield(number):
                    self.world.later(self.world.random.expovariate(2.0), lambda number=number: self.given(number))
        return orders

    def given(self, number: int) -> None:
        if self.world.holder == (self.number, number):
            self.world.holder = None

    def later(self, what: Callable[[], list[Order]]) -> None:
        def then() -> None:
            if self.stopped:
                self.later(what)
            else:
                self.do(what())
        self.world.later(self.world.random.random() * 0.1, then)

    def trouble(self) -> None:
        match self.world.random.randrange(6):
            case 0 | 1:
                self.stopped = not self.stopped
            case 2 | 3:
                self.cut = not self.cut
            case 4:
                if not self.stopped:
                    self.do(self.floating.wish(not self.floating.fit, self.clock()))
            case 5:
                self.world.replace()
        self.world.later(self.world.random.random() * 30, self.trouble)


@given(st.integers(0, 2**32), st.integers(2, 4))
@example(3090441, 2)  # grants that overtake each other
def test_no_two_have_it_whatever_is_late_lost_stopped_or_forgotten(seed: int, edges: int) -> None:
    World(seed, edges).run(300.0)


def test_somebody_takes_it_again_and_again() -> None:
    worlds = [World(seed, 3) for seed in range(10)]
    for world in worlds:
        world.run(300.0)
    assert sum(len(world.records) for world in worlds) > 50
