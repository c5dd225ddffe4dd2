"""What the tests of all stores need: dialogs to put on record, and answers to wait for."""

import asyncio
import time
from collections.abc import Callable, Iterable

from sbc.model.binding import Binding, Checkpoint
from sbc.model.ids import AgentName, PrincipalId, SessionId, node_id
from sbc.model.interfaces import Store, Stored
from tests.support.wait import PATIENCE

A, B = node_id("tutors", "a"), node_id("tutors", "b")


def binding(session: str, epoch: int = 1) -> Binding:
    return Binding(SessionId(session), A if epoch % 2 else B, B, epoch)


def dialog(session: str, epoch: int = 1, checkpoint: Checkpoint | None = None) -> Stored:
    return Stored(binding(session, epoch), AgentName("tutor"), "tutor /tutor", PrincipalId("address:192.0.2.1"),
                  1700000000.25, checkpoint)


def asked(ask: Callable[[Callable[[Exception | None], None]], None]) -> asyncio.Future[Exception | None]:
    """The answer to a question, as a future that does not raise."""
    answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    ask(answer.set_result)
    return answer


def creating(store: Store, stored: Stored) -> asyncio.Future[Exception | None]:
    return asked(lambda done: store.create(stored, done))


def rebinding(store: Store, to: Binding, expected: int) -> asyncio.Future[Exception | None]:
    return asked(lambda done: store.rebind(to, expected, done))


async def answers(futures: Iterable[asyncio.Future[Exception | None]]) -> list[Exception | None]:
    async with asyncio.timeout(PATIENCE):
        return list(await asyncio.gather(*futures))


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.005)
