"""The contract of a session: counts, what is said again after a handover, and when an agent has to stop."""

import asyncio
import json

import aiohttp
import pytest

from sbc.sdk import Node, Session, SessionClosed
from sbc.sdk import session as session_module
from tests.sdk.edge import Edge, closed, joined, words
from tests.support.wait import PATIENCE, wait_until


async def numbered(session: Session) -> None:
    """Answers each message with three numbered ones, checkpointing the number after each answer."""
    number = int(session.state or "0")
    async for message in session:
        for _ in range(3):
            number += 1
            await session.send(f"{message}-{number}" if isinstance(message, str) else message)
        session.checkpoint(str(number))


def checkpoint(received: int, sent: int, state: str | None) -> dict[str, object]:
    return {"received": received, "sent": sent, "state": state}


async def test_a_new_session_counts_from_nothing(edge: Edge, node: Node) -> None:
    node.agent(numbered)
    async with joined(edge, node):
        assert (await edge.invite("s"))["type"] == "accept"
        async with edge.leg("s") as leg:
            await leg.send_str("x")
            assert await words(leg, 3) == ["x-1", "x-2", "x-3"]
            await leg.send_bytes(b"\0")
            assert await words(leg, 3) == [b"\0"] * 3
            assert await edge.word("checkpoint", 2) == {
                "type": "checkpoint", "session": "s", "epoch": 1, "received": 2, "sent": 6, "state": "6"}


async def test_the_headers_reach_the_agent(edge: Edge, node: Node) -> None:
    @node.agent
    async def tell(session: Session) -> None:
        await session.send(json.dumps([session.id, session.epoch, session.role.value, session.agent,
                                       session.continuity, session.principal, session.state]))

    async with joined(edge, node), edge.leg("s/ä".encode().decode("latin-1"), 4, **{"Session-Principal": "me"}) as leg:
        [told] = await words(leg, 1)
        assert json.loads(told)[1:] == [4, "owner", "chatter", "interactive", "me", None]
        assert await closed(leg) == 1000


async def test_what_the_client_has_is_not_said_again(edge: Edge, node: Node) -> None:
    node.agent(numbered)
    async with joined(edge, node):
        await edge.invite("s", 2, checkpoint=checkpoint(1, 3, "3"))
        async with edge.leg("s", 2, resume=(1, 3, 5)) as leg:
            await leg.send_str("y")  # number 2 again: the old owner had said 4 and 5 of its answer
            await leg.send_str("z")
            assert await words(leg, 4) == ["y-6", "z-7", "z-8", "z-9"]
            assert await edge.word("checkpoint", 1) == {
                "type": "checkpoint", "session": "s", "epoch": 2, "received": 2, "sent": 6, "state": "6"}
            assert (await edge.word("checkpoint", 2))["sent"] == 9


async def test_with_regenerate_everything_is_said_again(edge: Edge, node: Node) -> None:
    @node.agent
    async def agent(session: Session) -> None:
        assert await session.already_said() == []
        await numbered(session)

    async with joined(edge, node):
        await edge.invite("s", 2, checkpoint=checkpoint(1, 3, "3"), output="regenerate")
        async with edge.leg("s", 2, resume=(1, 3, 5)) as leg:
            await leg.send_str("y")
            assert await words(leg, 3) == ["y-4", "y-5", "y-6"]
            assert (await edge.word("checkpoint"))["sent"] == 6


async def test_an_agent_that_asks_what_was_said_already(edge: Edge, node: Node) -> None:
    @node.agent
    async def go_on(session: Session) -> None:
        said = await session.already_said()
        async for message in session:
            await session.send(f"{message} after {said!r}")
            session.checkpoint("done")

    async with joined(edge, node):
        await edge.invite("s", 2, checkpoint=checkpoint(1, 3, None))
        async with edge.leg("s", 2, resume=(1, 3, 5)) as leg:
            assert await edge.word("journal") == {"type": "journal", "session": "s", "epoch": 2, "after": 3}
            await edge.tell("journal", session="s", messages=[{"seq": 4, "text": "four"}, {"seq": 5, "base64": "AAE="}])
            await leg.send_str("y")
            assert await words(leg, 1) == ["y after ['four', b'\\x00\\x01']"]
            told = await edge.word("checkpoint")
            assert (told["received"], told["sent"]) == (2, 6)


async def test_a_journal_with_a_hole_changes_nothing(edge: Edge, node: Node) -> None:
    @node.agent
    async def go_on(session: Session) -> None:
        with pytest.raises(LookupError):
            await session.already_said()
        await numbered(session)

    async with joined(edge, node):
        await edge.invite("s", 2, checkpoint=checkpoint(1, 3, "3"))
        async with edge.leg("s", 2, resume=(1, 3, 5)) as leg:
            await edge.word("journal")
            await edge.tell("journal", session="s", messages=[{"seq": 5, "text": "five"}])
            await leg.send_str("y")
            assert await words(leg, 1) == ["y-6"]


async def test_a_standby_waits_for_its_promotion(edge: Edge, node: Node) -> None:
    begun: list[int] = []

    @node.agent
    async def agent(session: Session) -> None:
        begun.append(session.epoch)
        await numbered(session)

    async with joined(edge, node):
        await edge.invite("s", 1, role="standby")
        async with edge.leg("s", 1, role="standby") as leg:
            await leg.send_str("y")  # the leg may be faster than the trunk
            await wait_until(lambda: node.sessions, "the session")
            assert begun == []
            await edge.tell("promote", session="s", epoch=2, received=1, sent=3, delivered=4,
                            checkpoint=checkpoint(1, 3, "3"))
            assert await words(leg, 2) == ["y-5", "y-6"]
            assert await edge.word("checkpoint") == {
                "type": "checkpoint", "session": "s", "epoch": 2, "received": 2, "sent": 6, "state": "6"}
    assert begun == [2]


async def test_a_standby_is_not_promoted_to_counts_it_has_no_state_for(edge: Edge, node: Node) -> None:
    node.agent(numbered)
    async with joined(edge, node):
        await edge.invite("s", 1, role="standby")
        async with edge.leg("s", 1, role="standby") as leg:
            await edge.tell("promote", session="s", epoch=2, received=9, sent=9, delivered=9,
                            checkpoint=checkpoint(1, 3, "3"))
            assert await closed(leg) == 1001  # a code after which the edge looks for another owner


async def test_the_end_of_the_agent_is_the_end_of_the_session(edge: Edge, node: Node) -> None:
    @node.agent
    async def brief(session: Session) -> None:
        await session.send("goodbye")

    async with joined(edge, node), edge.leg("s", 7) as leg:
        assert await words(leg, 1) == ["goodbye"]
        assert await closed(leg) == 1000
        assert await edge.word("bye") == {"type": "bye", "session": "s", "epoch": 7, "result": "done"}
        await wait_until(lambda: not node.sessions, "an empty node")


async def test_an_agent_that_fails_leaves_the_session_to_others(edge: Edge, node: Node,
                                                               caplog: pytest.LogCaptureFixture) -> None:
    @node.agent
    async def fails(session: Session) -> None:
        raise ZeroDivisionError

    async with joined(edge, node), edge.leg("s") as leg:
        assert await closed(leg) == 1011
        await wait_until(lambda: "session s: the agent failed" in caplog.text, "a line in the log")
    assert not [word for word in edge.heard if word["type"] == "bye"]


async def test_what_was_said_before_a_goodbye_is_still_heard(edge: Edge, node: Node) -> None:
    taken: list[object] = []
    gate = asyncio.Event()

    @node.agent
    async def slow(session: Session) -> None:
        await gate.wait()
        async for message in session:
            taken.append(message)
        with pytest.raises(SessionClosed):
            await session.send("too late")
        taken.append("end")

    async with joined(edge, node):
        async with edge.leg("s") as leg:
            for number in range(20):
                await leg.send_str(str(number))
            await leg.close(code=1000)
        await edge.tell("release", session="s", epoch=1, reason="over")
        gate.set()
        await wait_until(lambda: len(taken) == 21, "all of it, and the end")


async def test_a_goodbye_is_not_waited_for_longer_than_so(edge: Edge, node: Node,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LEAVING", 0.1)

    @node.agent
    async def forever(session: Session) -> None:
        await asyncio.Event().wait()

    async with joined(edge, node):
        async with edge.leg("s"):
            await wait_until(lambda: node.sessions, "the session")
        await wait_until(lambda: not node.sessions, "its end")


@pytest.mark.parametrize("code", [1001, 1012, None])
async def test_an_agent_stops_when_its_leg_is_lost(edge: Edge, node: Node, code: int | None) -> None:
    taken: list[object] = []
    gate = asyncio.Event()

    @node.agent
    async def slow(session: Session) -> None:
        await gate.wait()
        async for message in session:
            taken.append(message)

    async with joined(edge, node):
        async with edge.leg("s") as leg:
            await leg.send_str("may be another node's by now")
            await wait_until(lambda: node.sessions, "the session")
            if code is None:
                leg._response.connection.transport.abort()
            else:
                await leg.close(code=code)
        await wait_until(lambda: not node.sessions, "its end")
        gate.set()
    assert taken == []


async def test_a_released_session_stops_even_if_its_leg_stays_open(edge: Edge, node: Node) -> None:
    node.agent(numbered)
    async with joined(edge, node):
        await edge.invite("s", 3)
        async with edge.leg("s", 3) as leg:
            await leg.send_str("x")
            await words(leg, 3)
            await edge.tell("release", session="s", epoch=2, reason="an old one")
            await edge.tell("release", session="other", epoch=9, reason="not here")
            await leg.send_str("x")
            await words(leg, 3)
            await edge.tell("release", session="s", epoch=3, reason="moved")
            assert await closed(leg) == 1001


async def test_an_agent_that_is_stopped_before_it_began_leaves_the_session_to_others(edge: Edge, node: Node) -> None:
    class Waiting:
        """A link whose edge says nothing."""

        close_code = 1006
        closed_with = 0

        async def receive(self) -> str | bytes | None:
            await asyncio.Event().wait()
            return None

        async def send(self, message: str | bytes) -> None:
            raise AssertionError

        async def close(self, code: int, reason: str) -> None:
            self.closed_with = code

    link = Waiting()

    async def accept() -> Waiting:
        asyncio.get_running_loop().call_soon(node.end_sessions)  # runs before the agent's first step
        return link

    node.agent(numbered)
    await asyncio.wait_for(node.serve({"Session-Id": "s", "Session-Epoch": "1"}, accept), PATIENCE)
    assert link.closed_with == 1001


async def test_an_agent_that_does_not_take_stops_the_reading(edge: Edge, node: Node) -> None:
    gate = asyncio.Event()
    taken = 0

    @node.agent
    async def slow(session: Session) -> None:
        nonlocal taken
        await gate.wait()
        async for _ in session:
            taken += 1

    async def push(leg: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(60):
            await leg.send_bytes(bytes(512 * 1024))

    async with joined(edge, node), edge.leg("s") as leg:
        pushing = asyncio.create_task(push(leg))
        await wait_until(lambda: node.sessions and node.sessions["s"]._inbox._size, "messages")
        done, _ = await asyncio.wait([pushing], timeout=0.5)
        assert not done and node.sessions["s"]._inbox._size < 5 * 1024 * 1024
        gate.set()
        await asyncio.wait_for(pushing, PATIENCE)
        await wait_until(lambda: taken == 60, "all messages")


async def test_states_are_bounded(edge: Edge, node: Node) -> None:
    @node.agent
    async def agent(session: Session) -> None:
        with pytest.raises(ValueError, match="65536"):
            session.checkpoint("é" * 32769)
        session.checkpoint("é" * 32768)

    async with joined(edge, node), edge.leg("s"):
        assert len((await edge.word("checkpoint"))["state"]) == 32768
