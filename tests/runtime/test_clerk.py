"""What is brought to the store, and what waits for its word: by each word of `durability`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from sbc.core.dialog import Dialog
from sbc.core.journal import Journal
from sbc.core.relay import Gate, Relay, Tally
from sbc.core.roster import Roster
from sbc.model.errors import Conflict, StoreError
from sbc.model.ids import AgentName, NodeId, PoolName, SessionId
from sbc.model.interfaces import Store
from sbc.model.leg import Role
from sbc.model.manifest import Durability, Manifest
from sbc.runtime import clerk as clerks
from sbc.runtime.clerk import Notary, Office
from sbc.telemetry.metrics import Metrics
from tests.core.wire import frame
from tests.support.wait import wait_until

Done = Callable[[Exception | None], None]


class Told:
    """A store that answers when the test says so."""

    def __init__(self) -> None:
        self.journals: list[tuple[bool, int, int]] = []
        """From whom, the first number, how many."""
        self.floors: list[tuple[bool, int]] = []
        self.waiting: list[Done] = []

    def journal(self, session: SessionId, from_client: bool, first: int, messages: Sequence[bytes],
                done: Done | None = None) -> None:  # fmt: skip
        self.journals.append((from_client, first, len(messages)))
        if done is not None:
            self.waiting.append(done)

    def forget_before(self, session: SessionId, from_client: bool, first: int) -> None:
        self.floors.append((from_client, first))


class Ground:
    """An office, a store, and what was announced."""

    def __init__(self) -> None:
        self.store, self.metrics, self.announced = Told(), Metrics(), list[str]()
        self.office = Office(cast(Store, self.store), self.metrics, self._announce)

    def _announce(self, event: str, fields: Mapping[str, Any]) -> None:
        self.announced.append(event)

    def dialog(self, word: str, *, checkpoints: bool = False) -> Dialog:
        manifest = Manifest(AgentName("tutor"), PoolName("tutors"), durability=Durability(word))
        inbound, outbound = (Relay(Journal(4096), Tally(), masked=masked, limit=4096) for masked in (True, False))
        dialog = Dialog(SessionId("s"), manifest, Roster(), inbound, outbound, 0.0)
        dialog.owner = dialog.next_seat(NodeId("tutors/a"), Role.OWNER, epoch=1, trunk=checkpoints,
                                        checkpoints=checkpoints)
        inbound.keep(checkpoints)
        inbound.set_gate(Gate.OPEN)
        self.office.appoint(dialog)
        return dialog


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def say(dialog: Dialog, times: int = 1) -> None:
    for _ in range(times):
        dialog.inbound.admit(frame(1, b"?", masked=True))


async def test_of_messages_none_brings_only_how_many_where_no_checkpoint_says_so() -> None:
    ground = Ground()
    say(ground.dialog("none", checkpoints=True))
    ground.office.bring()
    assert (ground.store.journals, ground.store.floors) == ([], [])
    say(ground.dialog("none"), 3)
    ground.office.bring()
    assert (ground.store.journals, ground.store.floors) == ([], [(True, 4)])


async def test_async_brings_what_is_kept_and_of_the_rest_how_many_there_were() -> None:
    ground = Ground()
    say(ground.dialog("async", checkpoints=True), 2)
    say(ground.dialog("async"), 5)
    ground.office.bring()
    assert (ground.store.journals, ground.store.floors) == ([(True, 1, 2)], [(True, 6)])
    assert not ground.store.waiting


async def test_sync_brings_all_of_a_turn_at_once_and_passes_on_what_the_store_has() -> None:
    ground = Ground()
    dialog, passed = ground.dialog("sync", checkpoints=True), list[int]()
    notary = dialog.inbound.clerk
    assert isinstance(notary, Notary)
    notary.pass_on = passed.append
    say(dialog, 2)
    assert notary.waits
    await turns()
    say(dialog)
    await turns()
    assert ground.store.journals == [(True, 1, 2), (True, 3, 1)] and not passed
    ground.store.waiting.pop(0)(None)
    assert passed == [2] and notary.waits
    ground.store.waiting.pop(0)(None)
    assert passed == [2, 3] and not notary.waits


async def test_what_is_another_edges_is_passed_on_to_nobody() -> None:
    ground = Ground()
    dialog, passed = ground.dialog("sync", checkpoints=True), list[int]()
    notary = cast(Notary, dialog.inbound.clerk)
    notary.pass_on = passed.append
    say(dialog)
    await turns()
    ground.store.waiting.pop(0)(Conflict("another edge's"))
    assert not passed and not ground.announced and ground.office.trusts


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "failing"])
async def test_a_store_out_of_order_stops_no_session_and_that_is_said(
        silent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerks, "LATE", 0.05)
    ground = Ground()
    dialog, passed = ground.dialog("sync", checkpoints=True), list[int]()
    notary = cast(Notary, dialog.inbound.clerk)
    notary.pass_on = passed.append
    say(dialog, 2)
    await turns()
    if silent:
        await wait_until(lambda: ground.announced != [], "it is said")
    else:
        ground.store.waiting[0](StoreError("no room"))
    assert passed[-1] == 2 and ground.announced == ["durability_lost"] and ground.metrics.unstored == 2
    say(dialog)
    assert not notary.waits, "it is passed on at once"
    await turns()
    assert ground.metrics.unstored == 3
    ground.store.waiting[-1](None)
    assert ground.announced == ["durability_lost", "durability_back"]
    say(dialog)
    assert notary.waits


@pytest.mark.parametrize(("word", "checkpoints", "whole"), [
    ("none", True, (1, 0)), ("none", False, (3, 0)), ("async", True, (1, 2)), ("async", False, (3, 0)),
    ("sync", True, (1, 2)),
])  # fmt: skip
async def test_a_store_that_has_forgotten_all_is_told_what_it_had(
        word: str, checkpoints: bool, whole: tuple[int, int]) -> None:
    ground = Ground()
    dialog = ground.dialog(word, checkpoints=checkpoints)
    say(dialog, 2)
    ground.office.bring()
    assert dialog.inbound.clerk is not None
    first, messages = dialog.inbound.clerk.whole()
    assert (first, len(messages)) == whole
