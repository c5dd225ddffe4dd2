"""P4: a client that went away gets what it is owed, or is told what it is not."""

import asyncio

import pytest

from tests.support.clients import InvalidStatus, Talker
from tests.support.oracle import exactly_once
from tests.support.scene import Scene
from tests.support.wait import wait_until

SMALL = {"policies": {"default": {"limits": {"journal": "16KiB", "message": "8KiB"}}}}


async def refusal(client: Talker, **how: object) -> int:
    """The status that a re-attachment is refused with."""
    with pytest.raises(InvalidStatus) as refused:
        await client.open(**how)  # type: ignore[arg-type]
    return refused.value.response.status_code


@pytest.mark.parametrize("kind", ["plain", "trunk"])
async def test_a_client_comes_back_to_everything_that_was_said_meanwhile(scene: Scene, kind: str) -> None:
    getattr(scene, kind)("a", "b")
    await scene.open()
    client = await scene.client()
    first = client.token
    assert first
    await client.say(60, every=0.01)
    await client.has(5)
    await client.drop()
    await scene.all_sessions("parked")
    count = len(client.heard)
    await client.reattach()
    assert client.answer_headers["session-resumed"] == str(count)
    assert "session-gap" not in client.answer_headers
    await client.say()
    await client.answered()
    exactly_once(client)
    assert len(await scene.edge.sessions()) == 1


async def test_a_client_that_lost_the_last_messages_on_the_way_gets_them_again(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open()
    client = await scene.client()
    await client.say(10)
    await client.answered()
    await client.drop()
    del client.heard[6:]
    await client.reattach()
    await client.answered()
    exactly_once(client)


async def test_the_owner_is_killed_while_the_client_is_away(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="answer")
    await scene.open()
    client = await scene.client()
    await client.say(1)
    await client.say(80, every=0.01)
    await client.has(10)
    await client.drop()
    await scene.all_sessions("parked")
    scene.owner(client).kill()
    await client.reattach()
    await client.say()
    await client.answered()
    exactly_once(client)


async def test_what_the_journal_no_longer_holds_is_announced_as_a_gap(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(SMALL)
    client = await scene.client()
    await client.say(1)
    await client.answered()
    await client.say(40, every=0.005, pad=1000)
    await client.has(3)
    await client.drop()
    node = scene.nodes["a"]
    await scene.all_sessions("parked")
    async def all_said() -> bool:
        session = await scene.only_session()
        row = await scene.edge.session(session)
        return bool(node.numbers()) and 41 in [value for value in flat(row) if isinstance(value, int)]
    await wait_until(all_said, "the node has said everything to the edge")
    count = len(client.heard)
    await client.reattach()
    gap = int(client.answer_headers["session-gap"])
    assert 41 - count - 16 <= gap <= 41 - count - 10, "about 16 KiB of messages of 1 KiB are still there"
    await client.has(client.owed - gap)
    exactly_once(client, lost=range(count + 1, count + gap + 1))
    assert await scene.edge.metric("sbc_lost_messages_total") == gap


def flat(value: object) -> list[object]:
    """Every value in a tree of JSON."""
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in flat(child)]
    if isinstance(value, list):
        return [leaf for child in value for leaf in flat(child)]
    return [value]


async def test_a_held_session_with_a_hole_is_ended_with_its_size(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="never")
    await scene.open(SMALL)
    client = await scene.client()
    for _ in range(40):
        await client.say(ballast=1000)
    await client.answered()
    scene.owner(client).kill()
    code, reason = await client.ended()
    assert code == 1014
    gap = int((reason or "").partition("gap=")[2].split(";")[0].split(" ")[0] or 0)
    assert 24 <= gap <= 40, reason


async def test_a_planned_move_that_would_leave_a_hole_is_called_off(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open(SMALL, replay="all", when="now")
    client = await scene.client()
    for _ in range(40):
        await client.say(ballast=1000)
    await client.answered()
    owner, to = client.node, scene.other(client).name
    await scene.edge.post(f"/api/v1/sessions/{await scene.only_session()}/migrate", {"to": to})

    async def called_off() -> bool:
        return await scene.edge.metric("sbc_handovers_total", cause="migration", outcome="aborted") == 1
    await wait_until(called_off, "the move is called off")
    await client.say()
    await client.answered()
    exactly_once(client)
    assert client.node == owner
    assert await scene.edge.metric("sbc_lost_messages_total") == 0


async def test_a_manifest_that_tolerates_the_loss_goes_on_and_counts_it(scene: Scene) -> None:
    scene.plain("a", "b")
    await scene.open(SMALL, tolerated_loss="any", replay="all")
    client = await scene.client()
    for _ in range(40):
        await client.say(ballast=1000)
    await client.answered()
    scene.owner(client).kill()
    await wait_until(lambda: scene.edge.metric("sbc_handovers_total", outcome="moved"), "the session is moved")
    lost = await scene.edge.metric("sbc_lost_messages_total")
    assert lost >= 24
    assert lost + await scene.edge.metric("sbc_replayed_messages_total") == 40, "what is not lost is replayed"
    heard = len(client.heard)
    number = await client.say()
    await wait_until(lambda: any(message["n"] == number for message in client.heard[heard:]), "the new owner answers")
    assert client.open_still


async def test_tokens_that_were_not_given_to_this_client_open_nothing(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    token = client.token or ""
    await client.drop()
    stranger = await scene.client(opened=False)
    swapped = token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB")
    for wrong in (swapped, token[1:], token + "A", "x", "A" * 5000, await scene.only_session()):
        assert await refusal(stranger, token=wrong, received=0) in (400, 401, 403, 404, 431), wrong
    assert await refusal(stranger, token=token, received=0, address="127.0.0.2") in (401, 403)
    await client.reattach()
    await client.say()
    await client.answered()


@pytest.mark.parametrize("received", ["-1", "x", "1.5", "", "9" * 30, "1000"])
async def test_counts_that_cannot_be_are_refused(scene: Scene, received: str) -> None:
    scene.plain("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    await client.drop()
    assert await refusal(client, token=client.token, received=received) in (400, 409)
    await client.reattach()
    await client.say()
    await client.answered()


async def test_of_two_that_come_back_at_once_one_has_the_session(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open()
    client = await scene.client()
    await client.say(3)
    await client.answered()
    await client.drop()
    twins = [await scene.client(opened=False) for _ in range(2)]
    outcomes = await asyncio.gather(*(twin.open(token=client.token, received=3) for twin in twins),
                                    return_exceptions=True)
    opened = [twin for twin, outcome in zip(twins, outcomes, strict=True) if outcome is None]
    assert opened
    if len(opened) == 2:
        await wait_until(lambda: sum(twin.open_still for twin in opened) == 1, "one of the two is sent away")
        loser = next(twin for twin in opened if not twin.open_still)
        assert loser.closed[0] == 4409
    winner = next(twin for twin in opened if twin.open_still)
    winner.said = [{"n": 1, "say": 3}]
    await winner.say(2)
    await winner.has(2)
    assert [message["m"] for message in winner.heard] == [4, 5]


async def test_coming_back_while_the_old_connection_still_stands_replaces_it(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    again = await scene.client(opened=False)
    await again.open(token=client.token, received=1)
    assert (await client.ended())[0] == 4409
    again.said = client.said
    await again.say()
    await again.has(1)
    assert again.heard[0]["m"] == 2


async def test_a_session_whose_client_stays_away_ends_and_is_gone(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(hold="1s")
    client = await scene.client()
    await client.say()
    await client.answered()
    await client.drop()
    await scene.no_sessions()
    assert await refusal(client, token=client.token) == 404
    await wait_until(lambda: scene.nodes["a"].history("closed"), "the node leg is closed")


async def test_a_page_that_has_heard_something_is_not_given_another_session_by_its_key(scene: Scene) -> None:
    """It would count on where the session before it ended, and never learn what it has lost."""
    scene.plain("a")
    route = {"match": {"path": "/"}, "agent": "tutor", "session": {"query": "page"}}
    await scene.open({"routes": [route]}, hold="1s")
    page = await scene.client("/?page=p")
    await page.say()
    await page.answered()
    await page.drop()
    back = await scene.client("/?page=p&received=1")
    assert back.answer_headers["session-resumed"] == "1"
    await back.drop()
    await scene.no_sessions()
    assert await refusal(await scene.client("/?page=p&received=1", opened=False)) == 404
    anew = await scene.client("/?page=p&received=0")
    await anew.say()
    await anew.answered()


async def test_a_client_that_said_goodbye_cannot_come_back(scene: Scene) -> None:
    scene.plain("a")
    await scene.open()
    client = await scene.client()
    await client.say()
    await client.answered()
    await client.close()
    await wait_until(lambda: scene.nodes["a"].history("closed"), "the node is told")
    assert scene.nodes["a"].history("closed")[0]["code"] == 1000
    assert await refusal(client, token=client.token) == 404
