"""A node and the edge's side of its trunk, written by hand."""

import asyncio

import aiohttp
import pytest

from sbc.sdk import Invite, Node, Session
from tests.sdk.edge import Edge, closed, joined, running, words
from tests.support.wait import PATIENCE, wait_until


async def echo(session: Session) -> None:
    async for message in session:
        await session.send(message)


async def test_invitations_are_accepted_up_to_the_capacity(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        for session in ("s1", "s2", "s3", "s3"):
            assert await edge.invite(session, 4) == {"type": "accept", "session": session, "epoch": 4}
        assert await edge.invite("s4", 4) == {
            "type": "decline", "session": "s4", "epoch": 4, "reason": "full", "retry_after": 1}
        await edge.tell("release", session="s3", epoch=4, reason="elsewhere")
        assert (await edge.invite("s4"))["type"] == "accept"


async def test_an_objection_of_the_agents_author(edge: Edge, node: Node) -> None:
    seen: list[Invite] = []

    @node.on_invite
    def objection(invite: Invite) -> str | None:
        seen.append(invite)
        return None if invite.session == "welcome" else "no GPU left"

    async with joined(edge, node):
        assert (await edge.invite("welcome"))["type"] == "accept"
        assert (await edge.invite("other"))["reason"] == "no GPU left"
    assert seen[0].manifest["pool"] == "p" and seen[0].agent == "chatter"


async def test_heartbeats_tell_the_sessions(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        assert await edge.word("heartbeat", 3) == {"type": "heartbeat", "sessions": 0, "load": 0.0}
        async with edge.leg("s"):
            await wait_until(lambda: edge.heard[-1] == {"type": "heartbeat", "sessions": 1, "load": 1 / 3}, "a load")


async def test_a_trunk_that_breaks_is_dialled_again_and_told_what_holds(edge: Edge, node: Node) -> None:
    @node.agent
    async def keeps(session: Session) -> None:
        async for message in session:
            session.checkpoint(str(message))

    async with joined(edge, node):
        await edge.invite("s", 5)
        async with edge.leg("s", 5) as leg:
            await leg.send_str("one")
            await edge.word("checkpoint")
            await edge.trunks[0].close(code=1012)
            await leg.send_str("two")  # while there is no trunk
            assert (await edge.word("register", 2))["node"] == "a"
            newest = {"type": "checkpoint", "session": "s", "epoch": 5, "received": 2, "sent": 0, "state": "two"}
            await wait_until(lambda: newest in edge.heard, "the newest checkpoint")


async def test_checkpoint_now_without_a_function_for_it(edge: Edge, node: Node) -> None:
    @node.agent
    async def agent(session: Session) -> None:
        async for message in session:
            if message == "keep":
                session.checkpoint("kept")
            await session.send(f"{session.checkpoint_requested}")

    async with joined(edge, node), edge.leg("s") as leg:
        await leg.send_str("keep")
        assert await words(leg, 1) == ["False"]
        await edge.tell("checkpoint_now", session="s", epoch=1, deadline=1)
        await edge.tell("checkpoint_now", session="s", epoch=9, deadline=1)
        await wait_until(lambda: node.sessions["s"].checkpoint_requested, "the request")
        await leg.send_str("x")
        assert await words(leg, 1) == ["True"]
        assert len([word for word in edge.heard if word["type"] == "checkpoint"]) == 1  # it covers one answer less


async def test_checkpoint_now_sends_again_what_still_covers_everything(edge: Edge, node: Node) -> None:
    @node.agent
    async def agent(session: Session) -> None:
        async for _ in session:
            session.checkpoint("kept")

    async with joined(edge, node), edge.leg("s") as leg:
        await leg.send_str("x")
        first = await edge.word("checkpoint")
        await edge.tell("checkpoint_now", session="s", epoch=1, deadline=1)
        assert await edge.word("checkpoint", 2) == first


async def test_checkpoint_now_with_a_function_for_it(edge: Edge, node: Node) -> None:
    node.agent(echo)
    node.on_checkpoint(lambda session: f"made for {session.id}")
    async with joined(edge, node), edge.leg("s") as leg:
        await leg.send_str("x")
        await words(leg, 1)
        await edge.tell("checkpoint_now", session="s", epoch=1, deadline=1)
        assert await edge.word("checkpoint") == {
            "type": "checkpoint", "session": "s", "epoch": 1, "received": 1, "sent": 1, "state": "made for s"}


@pytest.mark.parametrize(("checkpoint", "resume", "status"), [
    ({"received": 1, "sent": 1, "state": "x"}, (1, 1, 1), 101),
    ({"received": 1, "sent": 1, "state": "x"}, (2, 1, 1), 409),
    ({"received": 1, "sent": 1, "state": "x"}, None, 409),
    (None, (5, 5, 5), 101),  # its owner made none: there is no state to go on from
    (None, None, 101),
    ("not invited", (1, 1, 1), 409),
    ("not invited", (0, 0, 4), 101),
    ("not invited", None, 101),
])
async def test_a_session_goes_on_only_with_the_state_of_its_counts(
        edge: Edge, node: Node, checkpoint: dict[str, object] | str | None, resume: tuple[int, int, int] | None,
        status: int) -> None:
    node.agent(echo)
    async with joined(edge, node):
        if not isinstance(checkpoint, str):
            await edge.invite("s", 2, checkpoint=checkpoint)
        assert await opened(edge, "s", 2, resume=resume) == status


async def opened(edge: Edge, *arguments: object, **options: object) -> int:
    try:
        async with edge.leg(*arguments, **options):  # type: ignore[arg-type]
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def test_a_node_without_checkpoints_goes_on_with_what_it_is_told(edge: Edge) -> None:
    node = Node(edge.trunk_url, pool="p", name="a", url="http://x", checkpoints=False, drain_for=0)
    node.agent(echo)
    async with joined(edge, node):
        assert await opened(edge, "s", 2, resume=(3, 3, 3)) == 101
        assert (await edge.word("register"))["checkpoints"] is False


async def test_legs_that_make_no_sense(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        assert await opened(edge, "", 1) == 400
        assert await opened(edge, "s", "x") == 400
        assert await opened(edge, "s", 1, role="king") == 400
        assert await opened(edge, "s", 1, **{"Session-Resume": "received=1"}) == 400
        assert await opened(edge, "s", 1, role="standby") == 409  # nobody could promote it
        assert node.sessions == {}


async def test_a_newer_leg_takes_the_place_of_the_one_before(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node), edge.leg("s", 2) as old:
        assert await opened(edge, "s", 1) == 409
        async with edge.leg("s", 3) as new:
            assert await closed(old) == 1001
            await new.send_str("x")
            assert await words(new, 1) == ["x"]
            assert node.sessions["s"].epoch == 3


async def test_draining_declines_and_waits_for_the_sessions_to_leave(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        await edge.invite("standby", role="standby")
        async with edge.leg("s") as leg, edge.leg("standby", role="standby"):
            draining = asyncio.create_task(node.drain(30))
            assert 0 < (await edge.word("drain"))["deadline"] <= 30
            assert (await edge.invite("s2"))["reason"] == "draining"
            assert not draining.done()
            await edge.trunks[0].close(code=1012)
            await edge.word("drain", 2)  # the next trunk is told, too
            await leg.close(code=1001)
            assert await asyncio.wait_for(draining, PATIENCE) is True


async def test_draining_gives_up_at_its_deadline(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node), edge.leg("s") as leg:
        assert await node.drain(0.05) is False
        node.end_sessions()
        assert await closed(leg) == 1001


async def test_nonsense_on_the_trunk_is_survived(edge: Edge, node: Node) -> None:
    node.agent(echo)
    async with joined(edge, node):
        for text in ("{", "[]", "5", '{"type": "invite"}', '{"type": "invite", "session": "s", "epoch": "x"}',
                     '{"type": "journal", "session": "s", "messages": []}', '{"type": "promote", "session": "s"}',
                     '{"type": "unheard-of", "session": "s"}', '{"type": "release", "session": []}'):
            await edge.trunks[0].send_str(text)
        assert (await edge.invite("s"))["type"] == "accept"
        assert len(edge.trunks) == 1


async def test_a_node_without_an_agent_takes_no_leg(edge: Edge, node: Node) -> None:
    async with joined(edge, node):
        assert await opened(edge, "s") == 503


async def test_the_example_in_the_docstring(edge: Edge) -> None:
    """Ten lines: what they promise is what they do."""
    from sbc.sdk import node as module  # noqa: PLC0415

    example = (module.__doc__ or "").split("\n\n", 1)[1].replace("\n    ", "\n").strip()
    lines = [line for line in example.split("\n") if not line.startswith("web.run_app")]
    code = "import json\n" + "\n".join(lines).replace("ws://127.0.0.1:9071/trunk", edge.trunk_url)
    names: dict[str, object] = {"Node": Node, "Session": Session}
    exec(code, names)
    node = names["node"]
    assert isinstance(node, Node)
    node.drain_for = 0.0
    async with running(node.app()) as port:
        edge.leg_url = f"http://127.0.0.1:{port}/"
        await wait_until(lambda: edge.trunks, "the trunk")
        await edge.invite("s", 2, checkpoint={"received": 1, "sent": 1, "state": '["a"]'})
        async with edge.leg("s", 2, resume=(1, 1, 1)) as leg:
            await leg.send_str("b")
            assert await words(leg, 1) == ["message 2: b"]
            assert (await edge.word("checkpoint"))["state"] == '["a", "b"]'
