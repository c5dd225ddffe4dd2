"""The promises of docs/DESIGN.md section 1, as far as they are the dialog's, under whatever may happen.

P2: a client of checkpointing nodes hears exactly what it would have heard without any fault, once and in order.
P3: one owner an epoch, and epochs grow. P4: a gap is announced. P5: seats and deadlines do not leak.
"""

import os

from hypothesis import given, note, settings
from hypothesis import strategies as st

from sbc.model.events import EndOrdered
from sbc.model.leg import State
from sbc.model.manifest import Migration, Output, Standby, When
from tests.core.fate import STEPS, calm, take
from tests.core.world import World

OFTEN = ("say", "to_node", "speak", "to_edge", "hear", "store", "invited", "opened", "tick", "trunk", "checkpoint")
SCRIPTS = st.lists(
    st.tuples(st.sampled_from((*STEPS, *OFTEN)), st.integers(0, 255)), min_size=50, max_size=120
)
MIGRATIONS = st.builds(
    Migration, when=st.sampled_from(When), standby=st.sampled_from(Standby), output=st.sampled_from(Output)
)
Script = list[tuple[str, int]]


def begun(migration: Migration, *, nodes: int, journal: int = 1 << 20) -> World:
    """A world whose session is open."""
    world = World(migration, nodes=nodes, journal=journal)
    for word in ("store", "invited", "opened"):
        take(world, word, 0)
    assert world.dialog.state is State.CONFIRMED
    return world


def live(world: World, script: Script) -> None:
    """Play a script; should it fail, say what happened."""
    try:
        for word, number in script:
            take(world, word, number)
        judge(world)
    except BaseException:
        note("".join(world.trace))
        raise


def judge(world: World) -> None:
    """After the storm: nothing is missing, nothing came twice, and nothing is left over."""
    hold_until = world.dialog.outage.hold_until if world.dialog.outage else None
    calm(world)
    for number in (1, 2, 4):
        take(world, "say", number)
    calm(world)
    if world.closed is None:
        assert world.heard == len(world.expected), "the client misses messages"
        world.tell(EndOrdered(1000, "done"))
    else:
        assert world.closed.result in {"no_replica", "client_gone", "gap"}, world.closed
        assert world.closed.result != "no_replica" or hold_until is None or world.now >= hold_until
    assert not world.dialog.seats


@settings(max_examples=int(os.environ.get("SBC_EXAMPLES", "200")), deadline=None)
@given(migration=MIGRATIONS, nodes=st.integers(3, 5), script=SCRIPTS)
def test_every_message_once_and_in_order(migration: Migration, nodes: int, script: Script) -> None:
    world = begun(migration, nodes=nodes)
    live(world, script)
    assert world.gaps == 0
    assert world.closed is None or world.closed.result != "gap"


@settings(max_examples=int(os.environ.get("SBC_EXAMPLES", "80")), deadline=None)
@given(migration=MIGRATIONS, script=SCRIPTS, journal=st.integers(60, 200))
def test_a_gap_is_announced(migration: Migration, script: Script, journal: int) -> None:
    live(begun(migration, nodes=3, journal=journal), script)


@settings(max_examples=40, deadline=None)
@given(migration=MIGRATIONS, script=SCRIPTS)
def test_a_session_may_fail_while_it_is_set_up(migration: Migration, script: Script) -> None:
    world = World(migration, nodes=3)
    try:
        for word, number in script:
            take(world, word, number)
    except BaseException:
        note("".join(world.trace))
        raise
    if world.closed is None:
        world.tell(EndOrdered(1000, "done"))
    assert not world.dialog.seats
