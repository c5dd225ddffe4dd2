"""The tests' own parts: the judge must find a fault, or its silence means nothing."""

import itertools
import json
from pathlib import Path

import pytest

from tests.support.clients import Talker
from tests.support.conversation import Conversation
from tests.support.edge import _own_ports, free_port, merged
from tests.support.nodes import NodeProcess
from tests.support.oracle import at_least_once, at_most_once, exactly_once


def told(say: list[int]) -> tuple[Talker, list[str]]:
    """A client that said these, and all that an agent says to it."""
    client, agent = Talker("ws://nowhere"), Conversation()
    for number, count in enumerate(say, 1):
        client.said.append({"n": number, "say": count})
        agent.hear(json.dumps(client.said[-1]))
    texts = []
    while (answer := agent.answer()) is not None:
        texts.append(answer[0])
    return client, texts


def test_a_conversation_goes_on_from_any_checkpoint_as_if_nothing_had_happened() -> None:
    _, whole = told([2, 0, 3, 1])
    for cut in range(len(whole) + 1):
        first = Conversation()
        for number, count in enumerate([2, 0, 3, 1], 1):
            first.hear(json.dumps({"n": number, "say": count}))
        said = [first.answer() for _ in range(cut)]
        second = Conversation.resumed(first.received, first.sent, first.state())
        while (answer := second.answer()) is not None:
            said.append(answer)
        assert [text for text, _ in filter(None, said)] == whole


@pytest.mark.parametrize("spoil", [
    lambda heard: heard[:-1],
    lambda heard: [*heard, heard[-1]],
    lambda heard: [heard[1], heard[0], *heard[2:]],
    lambda heard: [*heard[:-1], heard[-1] | {"sum": 99}],
    lambda heard: [*heard[:-1], heard[-1] | {"n": 1}],
    lambda heard: [heard[0] | {"epoch": 2}, heard[1] | {"epoch": 1}, *heard[2:]],
])
def test_the_judge_sees_a_lost_doubled_swapped_or_wrong_message(spoil) -> None:  # type: ignore[no-untyped-def]
    client, texts = told([1, 2, 1])
    client.heard = [json.loads(text) for text in texts]
    exactly_once(client)
    client.heard = spoil(client.heard)
    with pytest.raises(AssertionError):
        exactly_once(client)


def test_an_announced_loss_is_not_held_against_anyone() -> None:
    client, texts = told([3, 1])
    client.heard = [json.loads(text) for text in texts if json.loads(text)["m"] != 2]
    exactly_once(client, lost=[2])


def test_runs_of_tests_side_by_side_have_ports_of_their_own() -> None:
    one, other = _own_ports(), _own_ports()
    assert not set(itertools.islice(one, 1000)) & set(itertools.islice(other, 1000))
    assert free_port() not in {next(one), next(other)}


def test_changes_are_laid_over_the_base_mapping_by_mapping() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": [1], "e": 0}, {"a": {"b": 3}, "d": [], "e": None}) == {
        "a": {"b": 3, "c": 2}, "d": []}


async def test_a_client_talks_to_a_plain_node_and_both_remember(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "a", free_port(), edge=None)
    node.start()
    client = Talker(f"ws://127.0.0.1:{node.port}/")
    try:
        await node.serving()
        await client.open()
        await client.say(2)
        await client.say(1, pad=100)
        await client.answered()
        exactly_once(client)
        at_most_once(client, [node])
        at_least_once(client, [node])
        assert node.numbers() == [1, 2]
        await client.close()
        assert client.closed[0] == 1000
    finally:
        node.kill()
