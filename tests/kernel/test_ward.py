"""The edge's side of the warden, over a real one: orders that stand are said to every warden that comes."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sbc.kernel import ward as edge_side
from sbc.kernel.orders import Unshape
from sbc.kernel.ward import Ward
from sbc.kernel.warden import Warden, open_door
from tests.kernel.test_warden import PATIENT, Recording
from tests.support.wait import wait_until

Counts = Counter[tuple[str, str]]


class Serving:
    """A warden that comes and goes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.work = Recording()
        self._warden: Warden | None = None

    def come(self) -> None:
        self._warden = Warden(open_door(self.path), [self.work], None)
        self._thread = threading.Thread(target=self._warden.serve)
        self._thread.start()

    def go(self) -> None:
        if self._warden is not None:
            self._warden.stop()
            self._thread.join(PATIENT)
            self._warden = None

    @property
    def devices(self) -> list[str]:
        """What it was ordered, without what it does by itself."""
        return [noted[1] for noted in self.work.noted if isinstance(noted, tuple) and noted[0] != "undone"]


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    warden = Serving(str(tmp_path / "kernel.sock"))
    yield warden
    await asyncio.to_thread(warden.go)


@pytest.fixture
def counts() -> Counts:
    return Counter()


@pytest.fixture
async def ward(serving: Serving, counts: Counts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    monkeypatch.setattr(edge_side, "FIRST_PAUSE", 0.02)
    made = Ward(serving.path, counts)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_stands_is_said_to_each_warden_that_comes(serving: Serving, ward: Ward, counts: Counts) -> None:
    ward.keep("one", Unshape("one"))
    ward.tell(Unshape("once"))  # nobody is there to hear it
    assert counts == {("unshape", "unsaid"): 1}
    serving.come()
    await wait_until(lambda: serving.devices == ["one"], "it is said")
    ward.keep("one", Unshape("one"))  # it stands already
    ward.keep("two", Unshape("two"))
    ward.tell(Unshape("once"))
    await wait_until(lambda: serving.devices == ["one", "two", "once"], "so are these")
    ward.drop("one", Unshape("away"))
    await wait_until(lambda: serving.devices[-1] == "away", "and this, which undoes the first")
    await asyncio.to_thread(serving.go)
    await wait_until(lambda: not ward.reached, "it is gone")
    serving.work.noted.clear()
    serving.come()
    await wait_until(lambda: serving.devices == ["two"], "what stands is said again")
    await wait_until(lambda: counts["unshape", "done"] == 5, "all of it was done")


async def test_a_refusal_is_counted_and_what_follows_is_done(serving: Serving, ward: Ward, counts: Counts) -> None:
    serving.come()
    await wait_until(lambda: ward.reached, "it is there")
    ward.tell(Unshape("none"))
    ward.tell(Unshape("eth0"))
    await wait_until(lambda: counts == {("unshape", "refused"): 1, ("unshape", "done"): 1}, "both are answered")


async def test_what_stands_is_said_again_if_it_was_refused(
    serving: Serving, ward: Ward, counts: Counts, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge_side, "AGAIN", 0.02)
    serving.come()
    ward.keep("one", Unshape("none"))
    ward.keep("two", Unshape("eth0"))
    await wait_until(lambda: counts["unshape", "refused"] >= 3, "it is tried again and again")
    assert serving.devices == ["eth0"], "what was done is not"
    ward.drop("one", Unshape("away"))
    await wait_until(lambda: serving.devices == ["eth0", "away"], "it stands no more")
    refused = counts["unshape", "refused"]
    ward.tell(Unshape("last"))
    await wait_until(lambda: serving.devices[-1] == "last", "time has passed")
    assert counts["unshape", "refused"] <= refused + 1


async def test_what_an_edge_ordered_is_undone_when_it_ends(serving: Serving, counts: Counts) -> None:
    serving.come()
    ward = Ward(serving.path, counts)
    ward.keep("one", Unshape("one"))
    running = asyncio.create_task(ward.run())
    await wait_until(lambda: serving.devices == ["one"], "it is said")
    running.cancel()
    await wait_until(lambda: ("undone", 1) in serving.work.noted, "it is undone")
